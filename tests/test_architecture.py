"""The source itself: the direction of imports, the length of files, public names.

Each rule is a function of source text, so that the tests at the end can give it text that fails.
"""

import ast
import graphlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import throughtime

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "throughtime"
FOLDERS = ["src", "native", "tests", "benchmarks", "recipes", "examples", "docs", ".ci"]
#: The length at which to ask whether a file has two subjects; do not shave a file to fit.
MAX_LINES = 450

# Each part may import what stands before it.
ORDER = [
    "_elsewhere", "_moved", "shapes", "messages", "errors", "registry", "kernels", "serialization",
    "parallel", "autodiff", "activations", "initializers", "cells", "bptt", "engines", "losses",
    "optimizers", "data", "layers", "network", "training", "gradcheck", "inspect", "forecasting",
    "drawing", "plotting", "report", "cli", "__main__",
]  # fmt: skip
RANK = {name: rank for rank, name in enumerate(ORDER)} | {"__version__": -1, "_native": -1}

# Methods that import a later part when they are called.
DOORS = {
    ("training", "plotting"): "history.plot()",
}

#: Test suites that belong to no single folder of the package.
ACROSS = {
    "architecture", "benchmarks", "boundaries", "docs", "examples", "gradients", "learning",
    "mutants", "old_files", "published", "release", "same_bits", "sequence_modes",
}  # fmt: skip

# Slow to import or not installed with the core: only inside the function that needs them.
HEAVY = {
    "aeon", "dask", "distributed", "jax", "jinja2", "keras", "loky", "matplotlib", "mpi4py", "onnx",
    "onnxruntime", "pandas", "pyarrow", "python_calamine", "rich", "safetensors", "scipy",
    "sklearn", "sktime", "torch", "typer",
}  # fmt: skip


class Import(NamedTuple):
    """``importer`` imports ``target`` in ``line``; ``local``: inside a function."""

    importer: str
    target: str
    line: int
    local: bool


def walk_imports(tree: ast.AST, local: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, local
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            # Never executed, so it costs nothing; it must still point the right way.
            yield from walk_imports(ast.Module(node.body, []), local=True)
            yield from walk_imports(ast.Module(node.orelse, []), local)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk_imports(node, local or function)


def imports(sources: Mapping[str, str]) -> list[Import]:
    """Every import in ``sources`` (dotted module name -> text), as absolute dotted names."""
    found = []
    for importer, text in sources.items():
        for node, local in walk_imports(ast.parse(text)):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif node.level:
                raise AssertionError(f"{importer}, line {node.lineno}: relative import")
            else:
                # `from package import module` depends on the module.
                known = {*sources, "throughtime.__version__", "throughtime._native"}
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [name if name in known else str(node.module) for name in names]
            found += [Import(importer, name, node.lineno, local) for name in dict.fromkeys(targets)]
    return found


def part(module: str) -> str:
    """The part of the package that a dotted name belongs to: "cells"; "" for the top."""
    return [*module.split("."), ""][1]


def inside(module: str) -> bool:
    return module.partition(".")[0] == "throughtime"


def wrong_way(found: Iterable[Import]) -> list[str]:
    """Imports of a part that stands later in ORDER, or of the top of the package."""
    problems = []
    for importer, target, line, local in found:
        here, there = part(importer), part(target)
        if not here or not inside(target) or here == there or (local and (here, there) in DOORS):
            continue
        if RANK.get(there, len(ORDER)) > RANK.get(here, len(ORDER)):
            problems.append(f"{importer}, line {line}: imports {target}")
    return problems


def cycle(found: Iterable[Import]) -> list[str]:
    """One cycle among the imports that run when modules load, or an empty list."""
    graph: dict[str, set[str]] = {}
    for importer, target, _, local in found:
        if not local and inside(target):
            graph.setdefault(importer, set()).add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def undeclared(found: Iterable[Import]) -> list[str]:
    """Imports of packages that are neither a dependency of the core nor one of HEAVY."""
    known = {"throughtime", "numpy"} | HEAVY | sys.stdlib_module_names
    return [
        f"{importer}, line {line}: imports {target}"
        for importer, target, line, _ in found
        if target.partition(".")[0] not in known
    ]


def heavy_at_load(found: Iterable[Import]) -> list[str]:
    """Imports of a heavy package that run when the module loads."""
    return [
        f"{importer}, line {line}: imports {target}"
        for importer, target, line, local in found
        if not local and target.partition(".")[0] in HEAVY
    ]


def machine_paths(text: str) -> list[str]:
    """Paths that exist on one machine alone."""
    return re.findall(r"(?<![\w.])/(?:home|root|Users|tmp|work)/[\w.]+", text)


def misnamed(tests: Iterable[str], modules: Iterable[str]) -> list[str]:
    """Files of tests whose names begin neither with the path of a module nor with one of ACROSS.

    ``test_training_clipping.py`` stands for ``training/clipping.py``, and
    ``test_training_errors.py`` for all of ``training/``; ``test_native_math.py`` for ``native/``.
    """
    paths = ["_".join(name.split(".")[1:]).lstrip("_") for name in modules]
    known = {*paths, "native", *ACROSS} - {""}
    stems = {name: name.removeprefix("test_").removesuffix(".py") + "_" for name in tests}
    return [
        name for name, stem in stems.items() if not stem.startswith(tuple(f"{k}_" for k in known))
    ]


def reads_sentences(source: str) -> list[int]:
    """Lines that decide by the text of a caught error, which is for people."""
    lines = []
    for handler in ast.walk(ast.parse(source)):
        if isinstance(handler, ast.ExceptHandler) and handler.name:
            lines += [
                node.lineno for node in ast.walk(handler) if _searches_text_of(node, handler.name)
            ]
    return lines


#: Methods that search a text; formatting it (strip, splitlines) is allowed.
SEARCHES = {
    "count", "endswith", "find", "fullmatch", "index", "match", "partition", "removeprefix",
    "removesuffix", "replace", "rpartition", "search", "split", "startswith", "sub",
}  # fmt: skip


def _searches_text_of(node: ast.AST, error: str) -> bool:
    if isinstance(node, ast.Compare):
        return any(_is_text_of(part, error) for part in [node.left, *node.comparators])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        parts = [node.func.value, *node.args]
        return node.func.attr in SEARCHES and any(_is_text_of(part, error) for part in parts)
    return False


def _is_text_of(node: ast.AST, error: str) -> bool:
    """Whether ``node`` is str(error), error.args, error.message, error.hint or holds one."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            called, names = part.func.id, [a.id for a in part.args if isinstance(a, ast.Name)]
            if called in ("str", "repr", "format") and error in names:
                return True
        if isinstance(part, ast.Attribute) and part.attr in ("args", "message", "hint", "msg"):
            return isinstance(part.value, ast.Name) and part.value.id == error
    return False


def package_sources() -> dict[str, str]:
    sources = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        sources[name.removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return sources


def project_files(*suffixes: str) -> list[Path]:
    folders = [ROOT / name for name in FOLDERS]
    files = [path for folder in folders for path in folder.rglob("*")] + list(ROOT.iterdir())
    generated = {"__pycache__", ".git"}  # .git is a file in a worktree
    return [
        path
        for path in files
        if path.is_file() and path.suffix in suffixes and not generated & set(path.parts)
    ]


FOUND = imports(package_sources())


def test_every_module_has_its_place_in_the_order():
    assert {part(name) for name in package_sources()} - {""} == set(ORDER)


def test_few_modules_stand_beside_the_folders():
    assert len(list(PACKAGE.glob("*.py"))) <= 12


def test_the_test_of_a_module_is_found_by_its_name():
    tests = [path.name for path in (ROOT / "tests").glob("test_*.py")]
    assert misnamed(tests, package_sources()) == []


def test_tests_ask_for_no_engine_that_may_be_missing():
    """Without a compiler there is no native engine; ``conftest.py`` knows which there are."""
    asked = re.compile(r"""parametrize\([^)]*["']native["']|engine\(["']native["']\)""")
    for path in (ROOT / "tests").glob("test_*.py"):
        if not path.name.startswith(("test_native", "test_kernels")):
            assert not asked.search(path.read_text("utf-8")), path.name


def test_imports_run_one_way():
    assert wrong_way(FOUND) == []


def test_no_import_cycle():
    assert cycle(FOUND) == []


def test_every_dependency_is_declared():
    assert undeclared(FOUND) == []


def test_heavy_packages_load_inside_functions():
    assert heavy_at_load(FOUND) == []


def test_no_program_reads_sentences():
    found = {name: reads_sentences(source) for name, source in package_sources().items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
    # The command line once rewrote the sentences of the library by their patterns.
    cli = [source for name, source in package_sources().items() if part(name) == "cli"]
    assert not any(re.search(r"^(import re|from re import)\b", text, re.MULTILINE) for text in cli)


def test_no_long_file():
    paths = project_files(".py", ".cpp", ".hpp")
    long = {p.name: n for p in paths if (n := len(p.read_text("utf-8").splitlines())) > MAX_LINES}
    assert long == {}


def test_no_machine_paths():
    paths = project_files(".py", ".cpp", ".hpp", ".md", ".toml", ".html", ".json", ".csv", "")
    assert {p.name: hits for p in paths if (hits := machine_paths(p.read_text("utf-8")))} == {}


@pytest.mark.parametrize("module", ["throughtime", "throughtime.network", "throughtime.cli"])
def test_import_is_light(module):
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & {name.partition(".")[0] for name in json.loads(run.stdout)} == set()


def test_importing_the_package_loads_next_to_nothing():
    code = (  # importlib.machinery is for the finder of an editable install
        "import __future__, importlib.machinery, sys, typing; before = {*sys.modules};"
        " import throughtime; print(sorted({*sys.modules} - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(run.stdout))
    assert loaded == {"throughtime"}


@pytest.mark.parametrize("name", throughtime.__all__)
def test_public_name_is_there_and_documented(name):
    value = getattr(throughtime, name)
    assert name in dir(throughtime)
    assert isinstance(value, str) or value.__doc__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'throughtime' has no attribute 'Netwrok'$"):
        throughtime.Netwrok  # noqa: B018  # to look it up is the test


def test_type_checkers_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    seen = {
        alias.asname: f"{node.module}.{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        for alias in node.names
    }
    attributes = {name: f"{home}.{name}" for name, home in throughtime._HOME.items()}
    homes = attributes | throughtime._MODULES
    assert seen == {name: f"throughtime.{home}" for name, home in homes.items()}


# The checks themselves: each must find the fault it is for.


def test_imports_are_found_in_every_form():
    sources = {
        "throughtime.a": "import numpy as np\nfrom throughtime import b\n"
        "from throughtime.b import f, g",
        "throughtime.b": "def g():\n    import pandas.io\nclass C:\n    import jax",
        "throughtime.c": "if TYPE_CHECKING:\n    import rich\nelse:\n    import typer",
    }
    assert imports(sources) == [
        Import("throughtime.a", "numpy", 1, False),
        Import("throughtime.a", "throughtime.b", 2, False),
        Import("throughtime.a", "throughtime.b", 3, False),
        Import("throughtime.b", "pandas.io", 2, True),
        Import("throughtime.b", "jax", 4, False),
        Import("throughtime.c", "rich", 2, True),
        Import("throughtime.c", "typer", 4, False),
    ]


def test_relative_import_is_refused():
    with pytest.raises(AssertionError, match="relative import"):
        imports({"throughtime.a": "from . import b"})


def test_wrong_way_is_found():
    sources = {
        "throughtime.bptt": "from throughtime.cells.gru import GRU\nimport throughtime.network",
        "throughtime.training": "def plot():\n    from throughtime.plotting import history_figure",
        "throughtime.errors": "def f():\n    from throughtime.cells import CELLS",
        "throughtime.cli.info": "from throughtime import __version__\nimport throughtime",
        "throughtime.plotting": "import numpy",
        "throughtime.cells": "",
    }
    assert wrong_way(imports(sources)) == [
        "throughtime.bptt, line 2: imports throughtime.network",
        "throughtime.errors, line 2: imports throughtime.cells",
        "throughtime.cli.info, line 2: imports throughtime",
    ]


def test_a_door_is_for_functions_alone():
    sources = {"throughtime.training": "from throughtime.plotting import history_figure"}
    assert len(wrong_way(imports(sources))) == 1


def test_cycle_is_found():
    sources = {
        "throughtime.cells": "from throughtime.cells.gru import GRU",
        "throughtime.cells.gru": "from throughtime.cells import CELLS",
    }
    assert set(cycle(imports(sources))) == set(sources)
    sources["throughtime.cells.gru"] = "def f():\n    from throughtime.cells import CELLS"
    assert cycle(imports(sources)) == []


def test_a_misnamed_test_is_found():
    tests = ["test_data_tables.py", "test_data_tables_files.py", "test_moved.py", "test_table.py"]
    modules = ["throughtime", "throughtime.data.tables", "throughtime._moved"]
    assert misnamed([*tests, "test_native_math.py"], modules) == ["test_table.py"]


def test_undeclared_and_heavy_are_found():
    found = imports(
        {"throughtime.data": "import os, requests\ntry:\n    import pandas\nfinally: 0"}
    )
    assert undeclared(found) == ["throughtime.data, line 1: imports requests"]
    assert heavy_at_load(found) == ["throughtime.data, line 3: imports pandas"]


@pytest.mark.parametrize(
    "use",
    [
        'if "holdout" in str(error): pass',
        'if str(error).startswith("y"): pass',
        'x = re.sub("y", "z", str(error))',
        'if error.args[0] == "y": pass',
        'if error.message.find("y"): pass',
        'if "a" in f"{str(error)}!": pass',
    ],
)
def test_a_reader_of_sentences_is_found(use):
    source = f"try:\n    f()\nexcept ValueError as error:\n    {use}\n"
    assert reads_sentences(source) == [4]
    allowed = "print(str(error).strip()); g(error.parameter == 'y')"
    assert reads_sentences(source.replace(use, allowed)) == []


@pytest.mark.parametrize("folder", ["home", "root", "Users", "tmp", "work"])
def test_machine_path_is_found(folder):
    path = f"/{folder}/ann"
    assert machine_paths(f"see {path}/x, not docs{path} and not .{path}") == [path]
