"""Files of earlier releases give the same results, or are refused in words.

``files/<version>`` is what that release wrote and what it answered (see ``write_files.py``). A
folder written by the present code is held to the same. Numbers are equal to rounding and not bit by
bit: bits are those of an engine and of the instruction set that it runs on, and the folder was
written on another machine.
"""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import write_files
from files import checkpoints, forecasters, networks, pickles
from safetensors import safe_open

import throughtime as tt
from throughtime.errors import ModelFileError, ThroughtimeError

FOLDERS = sorted(path for path in write_files.FOLDERS.iterdir() if path.name[0].isdigit())
#: Units in the last place that another order of summation, or another exp, may cost here.
ULPS = 2**10
NOW = "now"


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder written by the present code."""
    folder = tmp_path_factory.mktemp("files") / NOW
    write_files.write(folder)
    return folder


@pytest.fixture(params=[*(path.name for path in FOLDERS), NOW])
def folder(request: pytest.FixtureRequest, now: Path) -> Path:
    return now if request.param == NOW else write_files.FOLDERS / request.param


def arrays_of(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of ``path`` by the name of the file that they are about."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as archive:
        for key in archive:
            name, _, rest = key.partition("/")
            found.setdefault(name, {})[rest] = archive[key]
    return found


def split(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What was asked, and what was answered."""
    start = "asked/"
    asked = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
    return asked, {k: a for k, a in arrays.items() if not k.startswith(start)}


def files_of(folder: Path) -> list[Path]:
    """The files of ``folder``; there are some."""
    found = sorted(folder.iterdir())
    assert found
    return found


def same(
    name: str,
    answered: dict[str, np.ndarray],
    wanted: dict[str, np.ndarray],
    precision: Any = np.float64,
) -> None:
    """Assert that the answers are the same to rounding, in ``precision`` at best."""
    assert wanted.keys() <= answered.keys(), name
    for key, value in wanted.items():
        got, where = np.asarray(answered[key]), f"{name}: {key}"
        assert got.shape == value.shape, where
        if key.endswith("config"):
            holds(json.loads(str(got)), json.loads(str(value)), where)
        elif value.dtype.kind == "f":
            assert got.dtype == value.dtype, where
            rounding = ULPS * max(np.finfo(value.dtype).eps, np.finfo(precision).eps)
            np.testing.assert_allclose(got, value, rounding, rounding, err_msg=where)
        else:
            np.testing.assert_array_equal(got, value, err_msg=where)


def holds(now: Any, then: Any, where: str) -> None:
    """Assert that a description says what it said; later releases may know more options."""
    if isinstance(then, dict):
        assert then.keys() <= now.keys(), where
        for key, value in then.items():
            holds(now[key], value, f"{where}: {key}")
    elif isinstance(then, list):
        assert len(now) == len(then), where
        for i, (one, other) in enumerate(zip(now, then, strict=True)):
            holds(one, other, f"{where}: {i}")
    else:
        assert now == then, where


def description(path: Path) -> dict[str, Any]:
    """The JSON that a safetensors file of ours holds, read as any reader would."""
    with safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["throughtime"])["meta"]


def test_networks_give_what_they_gave(folder: Path) -> None:
    wanted = arrays_of(folder / "networks.npz")
    paths = files_of(folder / "networks")
    assert {path.stem for path in paths} == wanted.keys()
    for path in paths:
        net = tt.load(path)
        holds(net.to_config(), description(path), path.stem)
        asked, answers = split(wanted[path.stem])
        same(path.stem, networks.outputs(net, asked), answers)


def test_forecasters_give_what_they_gave(folder: Path) -> None:
    wanted = arrays_of(folder / "forecasters.npz")
    paths = files_of(folder / "forecasters")
    assert {path.stem for path in paths} == wanted.keys()
    for path in paths:
        model = forecasters.Forecaster.load(path)
        meta = description(path)
        holds(model.to_config(), meta["settings"], path.stem)
        assert model.metadata == meta["metadata"]
        asked, answers = split(wanted[path.stem])
        # Its networks are of float32, whatever the forecast is.
        same(path.stem, forecasters.forecasts(model, asked), answers, np.float32)


def test_checkpoints_go_on_or_are_refused_in_words(folder: Path, tmp_path: Path) -> None:
    wanted = arrays_of(folder / "checkpoints.npz")
    asked = wanted.pop("asked")
    runs = json.loads((folder / "checkpoints.json").read_text("utf-8"))
    paths = files_of(folder / "checkpoints")
    assert {path.stem for path in paths} == wanted.keys() == runs.keys()
    for path in paths:
        own = tmp_path / path.name
        shutil.copyfile(path, own)
        run = runs[path.stem]
        try:
            found = checkpoints.train(run, asked, checkpoints.EPOCHS, checkpoint=own, resume=True)
        except ModelFileError as error:
            refused_in_words(error, folder)
        else:
            same(path.stem, found, wanted[path.stem], run["network"]["dtype"])


def test_pickles_say_what_they_said_or_are_refused_in_words(folder: Path) -> None:
    wanted = arrays_of(folder / "pickles.npz")
    paths = files_of(folder / "pickles")
    assert {path.stem for path in paths} == wanted.keys()
    for path in paths:
        try:
            with warnings.catch_warnings():
                # A module that has moved says so.
                warnings.filterwarnings("ignore", r"throughtime\.", DeprecationWarning)
                value = pickle.loads(path.read_bytes())
            answers = pickles.ask(path.stem, value)
        except ThroughtimeError as error:
            refused_in_words(error, folder)
        else:
            single = path.stem.startswith("forecaster")
            same(path.stem, answers, wanted[path.stem], np.float32 if single else np.float64)


def test_what_comes_out_of_a_pickle_can_be_used(folder: Path, tmp_path: Path) -> None:
    """Whatever a later release adds to an object, one of an earlier release does not lack it."""
    for path in files_of(folder / "pickles"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"throughtime\.", DeprecationWarning)
            value = pickle.loads(path.read_bytes())
        assert repr(value)
        assert str(value)
        again = pickle.loads(pickle.dumps(copy.deepcopy(value)))
        assert type(again) is type(value)
        if isinstance(value, tt.Network):
            use_network(value, tmp_path)
        if isinstance(value, forecasters.Forecaster):
            use_forecaster(value, tmp_path)


def use_network(net: tt.Network, folder: Path) -> None:
    """Do with a network what one does."""
    x = np.random.default_rng(0).normal(size=(4, 5, net.n_features))
    y = np.zeros((4, 5, net.n_outputs))
    path = folder / "network.safetensors"
    net.save(path)
    assert np.array_equal(tt.load(path).predict(x), net.predict(x))
    assert np.array_equal(net.copy().predict(x), net.predict(x))
    assert net.stream(4).step(x[:, 0]).shape == (4, net.n_outputs)
    assert tt.evaluate(net, x, y, loss="mse")["loss"] > 0
    assert tt.check_gradients(net, x, y, loss="mse")
    before = net.predict(x)
    assert len(tt.train(net, x, y, epochs=1, verbose=False)["loss"]) == 1
    assert not np.array_equal(net.predict(x), before)
    net.reset_parameters(1)


def use_forecaster(model: forecasters.Forecaster, folder: Path) -> None:
    """Do with a forecaster what one does."""
    y = {"north": forecasters.wave(), "south": forecasters.wave(seed=1)}
    if "not fitted" in repr(model):
        model.fit(y)
    path = folder / "forecaster.safetensors"
    model.save(path)
    own = forecasters.forecasts(model, {})
    same("saved", forecasters.forecasts(forecasters.Forecaster.load(path), {}), own)
    model.update({name: [1.0, 2.0] for name in y})
    assert len(model.predict_interval()["north"]) == 2
    assert model.backtest(y).scores


def refused_in_words(error: ThroughtimeError, folder: Path) -> None:
    """Assert that a person can read it, and that it is about another release."""
    assert folder.name != NOW
    assert "\n" not in str(error)
    assert str(error).endswith(".")


def test_every_name_that_was_registered_stands_in_a_file(folder: Path) -> None:
    registered = json.loads((folder / "registered.json").read_text("utf-8"))
    found: dict[str, set[str]] = {kind: set() for kind in registered}
    for path in files_of(folder / "networks"):
        own = description(path)
        for layer in own.get("layers", [unit["layer"] for unit in own.get("units", [])]):
            found["layer"].add(layer["name"])
            for option, value in layer.items():
                kind = option.rpartition("_")[2]
                if isinstance(value, dict):
                    found[kind].add(value["name"])
    runs = json.loads((folder / "checkpoints.json").read_text("utf-8"))
    for run in runs.values():
        rule = run["optimizer"]
        found["optimizer"].add(rule["name"])
        while isinstance(rule.get("lr", rule.get("schedule")), dict):
            rule = rule.get("lr", rule.get("schedule"))
            found["schedule"].add(rule["name"])
    for path in files_of(folder / "pickles"):
        kind, _, name = path.stem.partition("-")
        if kind in ("loss", "metric", "scaler"):
            found[kind].add(name)
    assert {kind: sorted(names) for kind, names in found.items()} == registered
