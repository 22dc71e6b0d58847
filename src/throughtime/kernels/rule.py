"""Whether an object may use a kernel: one rule, for cells, activations, losses and all others.

A class names its kernel in its own body. Only objects of exactly that class use it: a class derived
from it may redefine anything, so that it runs in NumPy.
"""

from __future__ import annotations

from typing import Any


def own_kernel(obj: object, attribute: str = "kernel") -> Any:
    """Return what the class of ``obj`` itself, and no base of it, has as ``attribute``, or None."""
    return type(obj).__dict__.get(attribute)
