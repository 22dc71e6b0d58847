"""The description of the extension, ``_native.pyi``, is that of the module."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from loop_cases import needs_native

from throughtime.kernels import selection

SOURCE = Path(__file__).resolve().parent.parent / "src" / "throughtime"
STUB = ast.parse((SOURCE / "_native.pyi").read_text("utf-8"))
MODULE = selection.extension()
pytestmark = needs_native


def parameters(function: ast.FunctionDef) -> list[str]:
    """Names in their order, with ``*`` and ``/``; ``=`` is behind one that has a default."""
    a = function.args
    plain = [arg.arg for arg in [*a.posonlyargs, *a.args]]
    plain = [f"{n}=" if i >= len(plain) - len(a.defaults) else n for i, n in enumerate(plain)]
    if a.posonlyargs:
        plain.insert(len(a.posonlyargs), "/")
    named = [
        arg.arg if default is None else f"{arg.arg}="
        for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)
    ]
    return [*plain, *(["*"] if named else []), *named]


def described(body: list[ast.stmt], prefix: str = "") -> dict[str, list[str] | None]:
    """Functions and classes of the stub, with the parameters of functions."""
    found: dict[str, list[str] | None] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found[prefix + node.name] = parameters(node)
        elif isinstance(node, ast.ClassDef):
            found[node.name] = None
            found |= described(node.body, f"{node.name}.")
    return found


def signature(function: object) -> list[str]:
    """The parameters that nanobind knows."""
    text = function.__nb_signature__[0][0]
    text = re.sub(r"\\\d+", "None", text)  # the place of a default
    node = ast.parse(re.sub(r"(?<=: )[\w.\[\], |]*?(?=[,)=]| =)", "object", text) + ": ...").body[0]
    assert isinstance(node, ast.FunctionDef)
    return parameters(node)


def offered() -> dict[str, list[str] | None]:
    """Public functions and classes of the module."""
    found: dict[str, list[str] | None] = {}
    for name, value in vars(MODULE).items():
        if name.startswith("_"):
            continue
        if not isinstance(value, type):
            found[name] = signature(value)
            continue
        found[name] = None
        for method, own in vars(value).items():
            if hasattr(own, "__nb_signature__"):
                found[f"{name}.{method}"] = signature(own)
    return found


def test_the_description_has_every_name_of_the_module_and_no_other():
    assert described(STUB.body).keys() == offered().keys()


@pytest.mark.parametrize("name", described(STUB.body))
def test_parameters_are_those_of_the_module(name):
    assert described(STUB.body)[name] == offered()[name]


def test_no_module_of_kernels_is_untyped():
    untyped = re.compile(r"kernels?: ModuleType|_native as |extension\(\) -> ModuleType")
    found = [p.name for p in SOURCE.rglob("*.py") if untyped.search(p.read_text("utf-8"))]
    assert found == []
