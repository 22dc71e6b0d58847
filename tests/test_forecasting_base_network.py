"""The base networks: their file, their answers, and the share that a series takes."""

import re
from pathlib import Path

import numpy as np
import pytest

from throughtime.errors import ModelFileError
from throughtime.forecasting import Forecaster, base_network, fitting
from throughtime.forecasting.base_network import (
    QUANTILES,
    Share,
    Trial,
    answers,
    build,
    share,
    trials,
)
from throughtime.forecasting.outlook import AHEAD, N_INPUTS, PAST, Outlook
from throughtime.layers import RNN, Dense
from throughtime.network import Network
from throughtime.serialization.container import read_container, write_container

RNG = np.random.default_rng


def outlook(anchor: np.ndarray, unit: float = 2.0) -> Outlook:
    return Outlook(anchor, unit, np.zeros((PAST + AHEAD, N_INPUTS), dtype=np.float32))


def constant(value: float) -> Network:
    """A network whose answers are all ``value``, in every quantile."""
    network = build(2, seed=0)
    network.params.flat[-len(QUANTILES) :] = value
    return network


def test_the_shipped_networks_fit_and_none_are_none() -> None:
    networks = base_network.read("shipped")
    assert len(networks) == 3
    assert all(net.n_features == N_INPUTS for net in networks)
    assert base_network.read("none") == ()


def test_a_network_before_its_training_corrects_nothing() -> None:
    found = answers([build(4, seed=1)], [outlook(np.zeros(6))], 6)
    np.testing.assert_array_equal(found, np.zeros((1, 6, len(QUANTILES))))


def test_answers_are_means_in_increasing_order_and_held_at_the_end() -> None:
    far = AHEAD + 7
    crossed = build(2, seed=0)
    crossed.params.flat[-5:] = [5.0, 4.0, 3.0, 2.0, 1.0]
    found = answers([crossed, constant(1.0)], [outlook(np.zeros(far))], far)
    np.testing.assert_allclose(found[0], np.tile([1.0, 1.5, 2.0, 2.5, 3.0], (far, 1)), rtol=1e-6)


def test_a_file_keeps_every_bit(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    networks = [build(3, seed=s) for s in (0, 1)]
    base_network.save(networks, path)
    again = base_network.read(path)
    for one, two in zip(networks, again, strict=True):
        np.testing.assert_array_equal(one.params.flat, two.params.flat)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    other = Network([RNN(3, return_sequences=True), Dense(5)], n_features=N_INPUTS, seed=0)
    base_network.save([other], path)
    words = "network.0 is not of the form that a base network has"
    message = f"{path} is not a usable base model file: {words}"
    with pytest.raises(ModelFileError, match=f"^{re.escape(message)}"):
        base_network.read(path)
    base_network.save([build(3, seed=0)], path)
    arrays, meta = read_container(path, base_network.KIND)
    for changed in ({}, {"network.0": arrays["network.0"][:-1]}):
        write_container(path, changed, meta, base_network.KIND)
        with pytest.raises(ModelFileError, match="is not a usable base model file"):
            base_network.read(path)


def test_a_file_that_is_not_there_is_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting.adjusting, "adjust", None)
    message = (
        "base_model must be 'shipped', 'none' or a file; got 'shiped'. Write the path of a"
        " file of tune_base_model or 'make base-model'."
    )
    with pytest.raises(ModelFileError, match=f"^{re.escape(message)}$") as caught:
        Forecaster(2, base_model="shiped").fit(np.arange(20.0))
    assert caught.value.parameter == "base_model"


def trial(truth: float, horizon: int = 4) -> Trial:
    return Trial(30, outlook(np.zeros(horizon)), np.full(horizon, truth))


def test_the_share_follows_what_the_history_says() -> None:
    network = [constant(1.0)]  # the correction is 1 u = 2

    def found(truths: list[float], total: int = 200, season: float = 1.0) -> Share:
        return share(network, [trial(truth) for truth in truths], total, season, 4)[0]

    assert found([2.0] * 12) == Share(1.0, 0.0, 12)
    assert found([-2.0] * 12).share == 0.0
    # Half of it is right.
    assert found([1.0] * 12).share == pytest.approx(0.5)
    # Nothing is known, so what was good for others is taken.
    assert found([], total=8).share == 1.0
    # An average without an error needs no correction.
    assert found([0.0], total=100).share == 0.0
    # Series unlike those that were learned from must show that they gain.
    undecided = [1.0, -1.0 / 3.0] * 6
    assert found(undecided).share > found(undecided, season=7.0).share
    assert found([], season=24.0).share == found([], total=2000).share == 0.0
    assert share(network, [], 60, 1.0, AHEAD)[0].share == 1.0
    assert share(network, [], 60, 1.0, AHEAD + 1)[0].share == 0.0


def test_a_trial_knows_nothing_after_its_origin() -> None:
    y = 20.0 + RNG(0).normal(size=90).cumsum()
    one = trials(y, 6, 1.0, (1.0,), (False,))
    assert 6 <= len(one) <= base_network.TRIALS
    for tried in one:
        other = y.copy()
        other[tried.origin :] += 100.0
        (same,) = (t for t in trials(other, 6, 1.0, (1.0,), (False,)) if t.origin == tried.origin)
        np.testing.assert_array_equal(same.outlook.inputs, tried.outlook.inputs)
        known = y[tried.origin : tried.origin + 6]
        np.testing.assert_array_equal(tried.actual[: len(known)], known)
        assert np.isnan(tried.actual[len(known) :]).all()
