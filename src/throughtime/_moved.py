"""Module paths of earlier releases: they still import, with a warning that names the new path.

A pickle names classes by the path of their module, so old pickles load through here too. The finder
comes last in ``sys.meta_path``: importing what exists costs nothing more.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Path before 0.2 -> where its names are now; below ``throughtime.``.
MOVED: dict[str, tuple[str, ...]] = {
    "container": ("serialization.container",),
    "data.columns": ("data.tables.columns",),
    "data.files": ("data.tables.files",),
    "data.frequency": ("data.tables.frequency",),
    "data.parsing": ("data.tables.dates", "data.tables.numbers"),
    "data.reading": ("data.tables.reading",),
    "native_loops": ("engines.native",),
    "objective": ("training.objective",),
    "params": ("network.params",),
    "plotting.drawing": ("drawing",),
    "products": ("kernels.affine",),
    "runtime": ("kernels.selection",),
    "schedules": ("optimizers.schedules",),
    "stream": ("network.stream",),
    "summary": ("network.summary",),
    "topology": ("network.graph", "network.inputs", "network.tape"),
    "training.entry": ("training.train",),
    "truncation": ("training.truncation",),
    "vectors": ("kernels.vectors",),
}
_PACKAGE = "throughtime."


class _Finder(MetaPathFinder):
    """Finds the modules of :data:`MOVED` at their old paths."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The module as an alias of its new homes, if it has moved."""
        if not name.startswith(_PACKAGE):
            return None
        homes = MOVED.get(name.removeprefix(_PACKAGE))
        return None if homes is None else ModuleSpec(name, _Alias(homes))


class _Alias(Loader):
    """Loads a module whose names are looked up in others."""

    def __init__(self, homes: Sequence[str]) -> None:
        self.homes = [_PACKAGE + home for home in homes]

    def create_module(self, spec: ModuleSpec) -> None:
        return None  # an ordinary, empty module

    def exec_module(self, module: ModuleType) -> None:
        warnings.warn(
            f"{module.__name__} has moved to {' and '.join(self.homes)}; the old path goes with"
            " version 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        modules = [importlib.import_module(home) for home in self.homes]

        def find(name: str) -> Any:
            for home in modules:
                if hasattr(home, name):
                    return getattr(home, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__getattr__ = find  # type: ignore[method-assign]


def install() -> None:
    """Let Python find moved modules from now on."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
