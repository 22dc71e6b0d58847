"""Smoothing from many origins: the native engine against the reference, and its bits."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from loop_cases import needs_native
from rolling_cases import drawn, every_case, series

import throughtime as tt
from throughtime.forecasting.rolling import rolling_errors, rolling_means
from throughtime.forecasting.smoothing import Smoothing, smooth
from throughtime.kernels import selection

pytestmark = needs_native
LEVELS = selection.extension().levels() if selection.extension() else ()


@pytest.fixture(params=LEVELS)
def level(request):
    module = selection.extension()
    before = module.level()
    module.use_level(request.param)
    with tt.engine("native"):
        yield request.param
    module.use_level(before)


# -- the native engine against the reference


@every_case
def test_both_engines_agree(seed, period, steps, horizon, level) -> None:
    y = series(seed, steps, period)
    settings, origins = drawn(seed, steps, period)
    rng = np.random.default_rng(seed)
    weights = rng.random((len(origins), len(settings)))
    weights[rng.random(weights.shape) < 0.3] = 0.0
    weights[::3] = 0.0
    groups = rng.integers(0, 4, len(settings))
    found = rolling_errors(y, settings, origins, horizon)
    means = rolling_means(y, settings, origins, horizon, weights, groups, 5)
    with tt.engine("reference"):
        expected = rolling_errors(y, settings, origins, horizon)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.nanmax(y))
        expected = rolling_means(y, settings, origins, horizon, weights, groups, 5)
    np.testing.assert_allclose(means, expected, rtol=1e-10, atol=1e-10 * np.nanmax(y))


@every_case
def test_bits_do_not_depend_on_company(seed, period, steps, horizon, level) -> None:
    y = series(seed, steps, period)
    settings, origins = drawn(seed, steps, period)
    together = rolling_errors(y, settings, origins, horizon)
    weights = np.random.default_rng(seed).random(together.shape)
    groups = np.random.default_rng(seed).integers(0, 3, len(settings))
    means = rolling_means(y, settings, origins, horizon, weights, groups, 3)
    few = np.arange(0, len(settings), 3)
    alone = rolling_errors(y, [settings[i] for i in few], origins, horizon)
    np.testing.assert_array_equal(alone, together[:, few])
    own = np.flatnonzero(groups == 1)
    if len(own):
        alone = rolling_means(y, [settings[i] for i in own], origins, horizon, weights[:, own],
                              np.zeros(len(own), int), 1)  # fmt: skip
        np.testing.assert_array_equal(alone[..., 0], means[..., 1])


@pytest.mark.parametrize("steps", [150, 700, 3000])
def test_a_setting_that_explodes_is_the_same_on_both_engines(steps, level) -> None:
    rng = np.random.default_rng(3)
    y = np.exp(1.0 + 0.3 * rng.normal(size=steps))
    trends = [("local", 0.3, phi) for phi in (0.9, 0.98, 1.0)]
    settings = [
        Smoothing(True, 7.0, 1.0, trend, beta, phi, gamma)
        for trend, beta, phi in trends
        for gamma in (0.1, 0.4, 0.9)
    ]
    origins = np.arange(100, steps, 7)
    found = rolling_errors(y, settings, origins, 20)
    with tt.engine("reference"), np.errstate(all="ignore"):
        expected = rolling_errors(y, settings, origins, 20)
    assert np.nanmax(expected) > 100.0 * y.max()
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    alone = [rolling_errors(y, [one], origins, 20)[:, 0] for one in settings]
    np.testing.assert_array_equal(np.transpose(alone), found)


def test_weights_may_be_the_same_at_all_origins(level) -> None:
    y = series(0, 90, 12.0)
    settings, origins = drawn(0, 90, 12.0)
    own = np.random.default_rng(0).random(len(settings))
    own[::2] = 0.0
    groups, kept = np.zeros(len(settings), int), np.flatnonzero(own)
    shared = np.broadcast_to(own, (len(origins), len(own)))
    found = rolling_means(y, settings, origins, 5, shared, groups, 1)
    copied = rolling_means(y, settings, origins, 5, shared.copy(), groups, 1)
    np.testing.assert_array_equal(found, copied)
    # Settings without weight change nothing.
    alone = rolling_means(
        y, [settings[i] for i in kept], origins, 5, shared[:, kept], groups[kept], 1
    )
    np.testing.assert_array_equal(found, alone)


def test_threads_at_once_give_the_same_bits() -> None:
    cases = [(series(seed, 90, 12.0), *drawn(seed, 90, 12.0)) for seed in range(8)]

    def errors(case):
        return rolling_errors(*case, 18)

    with tt.engine("native"):
        expected = [errors(case) for case in cases]
        found: dict[int, np.ndarray] = {}
        threads = [
            threading.Thread(target=lambda i=i: found.update({i: errors(cases[i])}))
            for i in range(len(cases))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i, one in enumerate(expected):
        np.testing.assert_array_equal(found[i], one)


@every_case
def test_states_are_those_of_the_reference_to_the_last_bit(
    seed, period, steps, horizon, level
) -> None:
    z = series(seed, steps, period)
    settings, origins = drawn(seed, steps, period)
    found = smooth(z, settings, origins)
    with tt.engine("reference"):
        expected = smooth(z, settings, origins)
    for name in ("origins", "level", "slope", "season"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


# -- the kernels themselves


def call(**changes) -> dict[str, object]:
    """Arguments that both kernels take, for T=5, H=2, C=3, O=2, P=1."""
    return {
        "z": np.arange(5.0), "y": np.arange(5.0), "place": np.zeros(7, np.int64),
        "origins": np.array([2, 5]), "pattern": np.zeros(1), "columns": np.ones((9, 3)),
        "begin": 0, "start": 0.0, "log": False, "ceiling": 1.0, **changes,
    }  # fmt: skip


REFUSED = [
    ({"y": np.zeros(4)}, "y is of another shape"),
    ({"z": np.zeros(5, "float32")}, "z must be an array of 1 axes and type 'd'"),
    ({"place": np.zeros(4, np.int64)}, "place is shorter than z"),
    ({"place": np.array([0, 0, 0, 0, 0, 0, 1])}, "place is beyond the pattern"),
    ({"place": np.array([0, 0, 0, 0, 0, 0, -1])}, "place is beyond the pattern"),
    ({"origins": np.array([2, 6])}, "origins must increase, from 1 to the end of z"),
    ({"origins": np.array([0, 5])}, "origins must increase, from 1 to the end of z"),
    ({"origins": np.array([2, 2])}, "origins must increase, from 1 to the end of z"),
    ({"columns": np.ones((8, 3))}, "columns is of another shape"),
    ({"columns": np.ones((9, 6))[:, ::2]}, "columns is not contiguous"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_arrays_that_do_not_fit_are_refused(changes, message) -> None:
    kernels = selection.extension()
    errors, means = np.full((2, 3), 7.0), np.full((2, 2, 1), 7.0)
    states = {"level": np.full((2, 3), 7.0), "slope": np.full((2, 3), 7.0),
              "season": np.full((2, 3, 1), 7.0)}  # fmt: skip
    with pytest.raises(ValueError, match=f"^{message}$"):
        kernels.rolling_errors(**call(**changes), weight=np.ones(2), errors=errors)
    with pytest.raises(ValueError, match=f"^{message}$"):
        kernels.rolling_means(
            **call(**changes), weights=np.ones((2, 3)), groups=np.zeros(3, int), means=means
        )
    if "y" not in changes:
        given = {k: v for k, v in call(**changes).items() if k not in ("y", "log", "ceiling")}
        with pytest.raises(ValueError, match=f"^{message}$"):
            kernels.rolling_states(**given, **states)
    for out in (errors, means, *states.values()):
        assert (out == 7).all()


def test_outputs_that_do_not_fit_are_refused() -> None:
    kernels = selection.extension()
    with pytest.raises(ValueError, match=r"^weight is of another shape$"):
        kernels.rolling_errors(**call(), weight=np.ones(3), errors=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"^errors is of another shape$"):
        kernels.rolling_errors(**call(), weight=np.ones(2), errors=np.zeros((3, 2)))
    rows = {"weights": np.ones((2, 3)), "groups": np.array([0, 1, 0]), "means": np.zeros((2, 2, 2))}
    for changes, message in [
        ({"weights": np.ones((3, 2))}, "weights is of another shape"),
        ({"groups": np.zeros(2, int)}, "groups is of another shape"),
        ({"groups": np.array([0, 2, 0])}, "groups is beyond the means"),
        ({"groups": np.array([0, -1, 0])}, "groups is beyond the means"),
        ({"means": np.zeros((2, 3, 2))}, "means is of another shape"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}$"):
            kernels.rolling_means(**call(), **rows | changes)
