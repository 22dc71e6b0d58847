"""Module paths of earlier releases: they still import, with a warning that names the new path.

A pickle names classes by the path of their module, so old pickles load through here too. The
package loads this module when an import finds nothing else: what exists costs nothing more.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Path before 0.2 -> where its names are now; below ``throughtime.``.
MOVED: dict[str, tuple[str, ...]] = {
    "cli.source": ("cli.series", "cli.options"),
    "container": ("serialization.container", "serialization.files"),
    "data.columns": ("data.tables.columns", "data.tables.cells"),
    "data.files": ("data.tables.files",),
    "data.frequency": ("data.tables.frequency",),
    "data.parsing": ("data.tables.dates", "data.tables.numbers"),
    "data.reading": ("data.tables.reading", "data.tables.cells"),
    "forecasting.learning": ("forecasting.networks",),
    "forecasting.model": ("forecasting.fitted", "forecasting.settings", "forecasting.predicting"),
    "native_loops": ("engines.native",),
    "objective": ("training.objective",),
    "params": ("network.params",),
    "plotting.drawing": ("drawing",),
    "plotting.drawing.context": ("drawing.node.context",),
    "plotting.drawing.diagrams": ("drawing.node.diagrams",),
    "plotting.drawing.entry": ("drawing.draw",),
    "plotting.drawing.equations": ("drawing.node.equations",),
    "plotting.drawing.grid": ("drawing.grid", "drawing.pen"),
    "plotting.drawing.node": ("drawing.node.picture",),
    "plotting.drawing.nodes": ("drawing.node.pen",),
    "plotting.drawing.reading": ("drawing.drawn_layer",),
    "plotting.drawing.scene": ("drawing.sheet",),
    "plotting.drawing.strands": ("drawing.node_row",),
    "plotting.one_call": ("plotting.train_and_apply",),
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


def find_homes(path: str) -> tuple[str, ...] | None:
    """Return where the module at an old ``path`` is now; None if it has not moved.

    A module that :data:`MOVED` does not name may stand in a package that has moved.
    """
    if path in MOVED:
        return MOVED[path]
    parent, _, leaf = path.rpartition(".")
    for package in MOVED.get(parent, ()):
        home = f"{package}.{leaf}"
        if hasattr(importlib.import_module(_PACKAGE + package), "__path__") and (
            importlib.util.find_spec(_PACKAGE + home) is not None
        ):
            return (home,)
    return None


def find_spec(name: str) -> ModuleSpec | None:
    """The module at the old path ``name`` as an alias of its new homes, if it has moved."""
    homes = find_homes(name.removeprefix(_PACKAGE))
    # An alias of a package has an empty path, so that its modules are found here too: found in the
    # folder of the package, each would load a second time, with classes of its own.
    return None if homes is None else ModuleSpec(name, _Alias(homes), is_package=True)


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
            """Look a name up in the new homes."""
            for home in modules:
                if hasattr(home, name):
                    return getattr(home, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__doc__ = modules[0].__doc__
        module.__getattr__ = find  # type: ignore[method-assign]  # PEP 562
