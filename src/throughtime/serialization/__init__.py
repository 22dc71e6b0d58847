"""Files: named arrays and a description in JSON, in one safetensors file, never pickle."""

from __future__ import annotations

import importlib
import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    if name not in ("load", "save"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{__name__}.{name} has moved to throughtime.network.storage; the old path goes with"
        " version 0.3.",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(importlib.import_module("throughtime.network.storage"), name)
