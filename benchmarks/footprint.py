"""Seconds to import the libraries, and their bytes on the disk."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Our names load when they are first used; our second line imports what training needs.
IMPORTS = {
    "numpy": "import numpy",
    "throughtime": "import throughtime",
    "throughtime with Network and train": "import throughtime as tt; tt.Network; tt.train",
    "torch": "import torch",
    "jax": "import jax",
    "keras": "import keras",
    "onnxruntime": "import onnxruntime",
}
DISTRIBUTIONS = ["numpy", "torch", "jax", "keras", "onnxruntime"]
#: The program of an interpreter that times an import.
_TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def import_seconds(rounds: int) -> dict[str, float]:
    """Median over fresh interpreters, which take turns; the first round only fills the caches.

    Libraries that are not installed are skipped.
    """
    # Bytecode is kept, as after any installation.
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    environment = {k: v for k, v in os.environ.items() if k not in unwanted}
    environment["KERAS_BACKEND"] = "jax"
    found = {n: s for n, s in IMPORTS.items() if find_spec(n.partition(" ")[0]) is not None}
    times: dict[str, list[float]] = {name: [] for name in found}
    for k in range(rounds + 1):
        for name, statement in found.items():
            command = [sys.executable, "-c", _TIMED.format(statement)]
            run = subprocess.run(
                command,
                check=True,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=tempfile.gettempdir(),
            )
            if k:
                times[name].append(float(run.stdout))
    return {name: statistics.median(column) for name, column in times.items()}


def _bytes_of(found: Distribution) -> int:
    """Bytes of the installed files, without Python's bytecode."""
    paths = (Path(str(found.locate_file(file))) for file in found.files or [])
    return sum(p.stat().st_size for p in paths if p.suffix != ".pyc" and p.is_file())


def _with_requirements(name: str, seen: dict[str, int]) -> dict[str, int]:
    """Add the sizes of a distribution and of all its requirements to ``seen``."""
    try:
        found = distribution(name)
    except PackageNotFoundError:  # a requirement of another system, or not installed
        return seen
    if found.name.lower() not in seen:
        seen[found.name.lower()] = _bytes_of(found)
        for line in found.requires or []:
            if "extra ==" not in line:
                _with_requirements(re.split(r"[^\w.-]", line)[0], seen)
    return seen


def sizes() -> dict[str, dict[str, int]]:
    """For each library that is installed, its bytes alone and with all its requirements."""
    result = {}
    folder = ROOT / "src" / "throughtime"
    own = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")
    needed = _with_requirements("numpy", _with_requirements("safetensors", {}))
    result["throughtime"] = {"own": own, "with_requirements": own + sum(needed.values())}
    for name in DISTRIBUTIONS:
        found = _with_requirements(name, {})
        if name not in found:
            continue
        result[name] = {"own": found[name], "with_requirements": sum(found.values())}
    return result


def wheel_bytes() -> int | None:
    """The size of our wheel, which is built here; None where that fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, "."]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return None
        return next(Path(folder).glob("*.whl")).stat().st_size
