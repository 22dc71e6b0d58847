"""Outliers, markers of missing values, shifts of the level: found where they are, not elsewhere."""

import numpy as np
import pytest

from throughtime.data.datasets import co2, seattle_temperature
from throughtime.data.unusual import find_markers, find_outliers, find_shift

#: Passengers of an airline, 1949 to 1954 (Box and Jenkins 1976): a growing season.
AIRLINE = [
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170,
    170, 158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180,
    193, 181, 183, 218, 230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237,
    211, 180, 201, 204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
]  # fmt: skip
#: Sunspots of the years 1700 to 1799 (SILSO): cycles of different height.
SUNSPOTS = [
    5, 11, 16, 23, 36, 58, 29, 20, 10, 8, 3, 0, 0, 2, 11, 27, 47, 63, 60, 39, 28, 26, 22, 11, 21,
    40, 78, 122, 103, 73, 47, 35, 11, 5, 16, 34, 70, 81, 111, 101, 73, 40, 20, 16, 5, 11, 22, 40,
    60, 80.9, 83.4, 47.7, 47.8, 30.7, 12.2, 9.6, 10.2, 32.4, 47.6, 54, 62.9, 85.9, 61.2, 45.1,
    36.4, 20.9, 11.4, 37.8, 69.8, 106.1, 100.8, 81.6, 66.5, 34.8, 30.6, 7, 19.8, 92.5, 154.4,
    125.9, 84.8, 68.1, 38.5, 22.8, 10.2, 24.1, 82.9, 132, 130.9, 118.1, 89.9, 66.6, 60, 46.9, 41,
    21.3, 16, 6.4, 4.1, 6.8,
]  # fmt: skip
HOURS = np.arange(24 * 60)


def noise(size=200, seed=0):
    return np.random.default_rng(seed).normal(size=size)


ORDINARY = {
    "CO2": co2().values,
    "Seattle": seattle_temperature().values,
    "airline": np.array(AIRLINE, float),
    "sunspots": np.array(SUNSPOTS),
    "noise": noise(),
    "random walk": noise().cumsum(),
    "counts": np.random.default_rng(0).poisson(0.3, 200).astype(float),
    "growth": np.exp(np.arange(200) / 50) + noise(),
    "sun at night": np.maximum(0.0, np.sin((HOURS % 24 - 6) / 12 * np.pi)),
    "a peak a week": 10.0 + noise(len(HOURS)) + 80.0 * (HOURS % 168 == 18),
    "constant": np.full(60, 7.0),
    "a few values": np.array([1.0, 900.0, 2.0]),
    "no values": np.full(60, np.nan),
}


@pytest.mark.parametrize("case", ORDINARY)
def test_ordinary_series_hold_nothing_unusual(case):
    y = ORDINARY[case]
    assert len(find_outliers(y)) == 0
    assert find_shift(y) is None
    assert find_markers(y) == []


@pytest.mark.parametrize("case", ["CO2", "Seattle", "airline", "sunspots", "noise"])
def test_a_slip_of_the_decimal_point_is_an_outlier(case):
    y = ORDINARY[case].copy()
    place = int(np.nanargmax(y))
    y[place] *= 10
    assert find_outliers(y).tolist() == [place]
    assert find_markers(y) == []


def test_gaps_do_not_hide_outliers_and_shifts():
    y = noise()
    y[120:] += 12.0
    y[50] = 90.0
    y[[3, 49, 51, 119, 130]] = np.nan
    assert find_outliers(y).tolist() == [50]
    y[50] = 0.0
    assert find_shift(y) == 120


@pytest.mark.parametrize("size", [60, 200, 2000, 30_000])
def test_a_lasting_shift_is_found_where_it_is(size):
    y, place = noise(size), size * 3 // 5
    y[place:] -= 15.0
    assert find_shift(y) == pytest.approx(place, abs=size / 2000)
    # What goes back is no lasting shift.
    y[size * 4 // 5 :] += 15.0
    assert find_shift(y) is None


def test_markers_are_nines_outside_the_range():
    y = noise()
    y[[5, 9]], y[7] = -999.0, 99999.0
    low, high = find_markers(y)
    assert (low.value, low.places.tolist()) == (-999.0, [5, 9])
    assert (high.value, high.places.tolist()) == (99999.0, [7])
    assert find_markers(np.linspace(900.0, 1100.0, 201)) == []
    assert find_markers(np.array([999.0, 999.0])) == []
