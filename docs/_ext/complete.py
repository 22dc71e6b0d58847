"""Every public name has its place: one that the API pages leave out is a warning.

Public are the names of ``throughtime.__all__`` and of the ``__all__`` of every room that can be
reached from it. A warning fails the build.
"""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import throughtime

#: Rooms that users import from, though they are no attribute of the package.
ALSO = ("throughtime.bptt", "throughtime.cells")

logger = logging.getLogger(__name__)


def rooms() -> dict[str, ModuleType]:
    """Every public module, by its name."""
    found: dict[str, ModuleType] = {"throughtime": throughtime}
    todo = [throughtime, *(importlib.import_module(name) for name in ALSO)]
    while todo:
        module = todo.pop()
        found[module.__name__] = module
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, ModuleType) and value.__name__ not in found:
                todo.append(value)
    return found


def names() -> dict[str, set[str]]:
    """Every public name, to the names under which the API pages may know the same object."""
    objects: dict[str, Any] = {}
    known: dict[int, set[str]] = {}
    for room, module in rooms().items():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, ModuleType) or name == "__version__":
                continue
            objects[f"{room}.{name}"] = value
            own = known.setdefault(id(value), set())
            own.add(f"{room}.{name}")
            if inspect.isclass(value) or inspect.isfunction(value):
                own.add(f"{value.__module__}.{value.__qualname__}")
    return {name: known[id(value)] for name, value in objects.items()}


def check(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of every public name without an entry."""
    entries: Any = env.domains.python_domain.objects
    for name, known in sorted(names().items()):
        if not known & entries.keys():
            logger.warning("%s is public and stands on no page of the API", name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
