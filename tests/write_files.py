"""Write the files of this release, which every later release must read: ``tests/files/<version>``.

    PYTHONPATH=src python tests/write_files.py

Run it once, when a release is made, and commit the folder. ``test_old_files.py`` reads the folders
of all releases, and writes one of the present code, so that neither this program nor what it writes
can fall behind. It calls public names alone, and asks for a case of every registered name.

``*.npz`` beside the files is what they were asked, and what they answered when they were written.
"""

from __future__ import annotations

import importlib
import json
import pickle
import pkgutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from files import checkpoints, forecasters, networks, pickles

import throughtime as tt

FOLDERS = Path(__file__).with_name("files")


def write(folder: Path) -> None:
    """Write every file into ``folder``, which must not be there yet."""
    for name in ("networks", "forecasters", "checkpoints", "pickles"):
        (folder / name).mkdir(parents=True)
    registered = {kind: sorted(registry) for kind, registry in pickles.REGISTRIES.items()}
    _write_json(folder / "registered.json", registered)
    _write_json(folder / "modules.json", _public_names())
    _write_networks(folder)
    _write_forecasters(folder)
    _write_checkpoints(folder)
    _write_pickles(folder)


def _public_names() -> dict[str, list[str]]:
    """The names in ``__all__`` of every module, whose path users may import."""
    found = {}
    for module in pkgutil.walk_packages(tt.__path__, "throughtime."):
        name = module.name.removeprefix("throughtime.")
        if not any(part.startswith("_") for part in name.split(".")):
            found[name] = sorted(getattr(importlib.import_module(module.name), "__all__", ()))
    return found


def _write_networks(folder: Path) -> None:
    found: dict[str, np.ndarray] = {}
    for name, (net, asked) in networks.networks().items():
        net.save(folder / "networks" / f"{name}.safetensors")
        found |= {f"{name}/asked/{key}": value for key, value in asked.items()}
        found |= {f"{name}/{key}": value for key, value in networks.outputs(net, asked).items()}
    _write_arrays(folder / "networks.npz", found)


def _write_forecasters(folder: Path) -> None:
    found: dict[str, np.ndarray] = {}
    for name, (model, ahead) in forecasters.forecasters().items():
        model.save(folder / "forecasters" / f"{name}.safetensors")
        found |= {f"{name}/asked/{series}": values for series, values in ahead.items()}
        answers = forecasters.forecasts(model, ahead)
        found |= {f"{name}/{key}": value for key, value in answers.items()}
    _write_arrays(folder / "forecasters.npz", found)


def _write_checkpoints(folder: Path) -> None:
    arrays, runs = checkpoints.data(), checkpoints.runs()
    found = {f"asked/{key}": value for key, value in arrays.items()}
    for name, run in runs.items():
        path = folder / "checkpoints" / f"{name}.safetensors"
        checkpoints.train(run, arrays, checkpoints.SEEN, checkpoint=path)
        whole = checkpoints.train(run, arrays, checkpoints.EPOCHS)
        found |= {f"{name}/{key}": value for key, value in whole.items()}
    _write_json(folder / "checkpoints.json", runs)
    _write_arrays(folder / "checkpoints.npz", found)


def _write_pickles(folder: Path) -> None:
    found: dict[str, np.ndarray] = {}
    for name, value in pickles.objects().items():
        (folder / "pickles" / f"{name}.pickle").write_bytes(pickle.dumps(value, protocol=4))
        found |= {f"{name}/{key}": array for key, array in pickles.ask(name, value).items()}
    _write_arrays(folder / "pickles.npz", found)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    assert not any(array.dtype.hasobject for array in arrays.values())  # it would be pickled
    np.savez_compressed(path, **arrays)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    target = FOLDERS / tt.__version__
    write(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    sys.stdout.write(f"{target}: {size} bytes\n")
