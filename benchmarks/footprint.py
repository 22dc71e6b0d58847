"""What it costs to have the library: seconds to import it, bytes on the disk."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Our names load when they are first used, so the second line of ours is what training costs.
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
#: How an interpreter times what it was started for.
_TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def import_seconds(rounds: int) -> dict[str, float]:
    """Median over fresh interpreters, which take turns; a first round fills the caches."""
    # Compiled modules are kept, as after any installation.
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    environment = {k: v for k, v in os.environ.items() if k not in unwanted}
    environment["KERAS_BACKEND"] = "jax"
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for k in range(rounds + 1):
        for name, statement in IMPORTS.items():
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
    """The installed files, without what Python compiled."""
    paths = (Path(str(found.locate_file(file))) for file in found.files or [])
    return sum(p.stat().st_size for p in paths if p.suffix != ".pyc" and p.is_file())


def _with_requirements(name: str, seen: dict[str, int]) -> dict[str, int]:
    """Add the sizes of a distribution and of all that it needs."""
    try:
        found = distribution(name)
    except PackageNotFoundError:  # for another system
        return seen
    if found.name.lower() not in seen:
        seen[found.name.lower()] = _bytes_of(found)
        for line in found.requires or []:
            if "extra ==" not in line:
                _with_requirements(re.split(r"[^\w.-]", line)[0], seen)
    return seen


def sizes() -> dict[str, dict[str, int]]:
    """Bytes of the package alone and with everything that it needs, for each library."""
    result = {}
    folder = ROOT / "src" / "throughtime"
    own = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")
    needed = _with_requirements("numpy", _with_requirements("safetensors", {}))
    result["throughtime"] = {"own": own, "with_requirements": own + sum(needed.values())}
    for name in DISTRIBUTIONS:
        found = _with_requirements(name, {})
        result[name] = {"own": found[name], "with_requirements": sum(found.values())}
    return result


def wheel_bytes() -> int | None:
    """The size of our wheel, built for this; None where that fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, "."]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return None
        return next(Path(folder).glob("*.whl")).stat().st_size
