"""Underflow is never an error here.

A number that is too small for its type becomes 0, or a subnormal number. exp(-1000) is an example:
as a gate it is as good as 0. ``np.seterr(all="raise")`` is for mistakes, which this is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

_P = ParamSpec("_P")
_R = TypeVar("_R")


def ignore_underflow(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate an entry point: within a call NumPy ignores underflow, whatever the user has set.

    It takes about a microsecond. So the functions that users call have it, and not those below them,
    which a training calls for each batch.
    """
    return np.errstate(under="ignore")(function)
