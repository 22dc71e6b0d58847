"""Real data that ship inside the package. A ``.txt`` file beside each one says where it is from.

Weekly CO2 at Mauna Loa, Hawaii, from March 1958 to December 2001, in parts per million by volume:
2284 weeks, 59 of them without a value. Averages of continuous air samples. Public domain.

C. D. Keeling and T. P. Whorf (2004). Atmospheric CO2 concentrations derived from flask air samples
at sites in the SIO network. In: Trends: A Compendium of Data on Global Change. Carbon Dioxide
Information Analysis Center, Oak Ridge National Laboratory, U.S. Department of Energy, Oak Ridge,
Tennessee.

Mean number of sunspots of each year, 1700 to 2008. National Geophysical Data Center, NOAA. Public
domain.

Daily weather of Seattle, 2012 to 2015. NOAA National Centers for Environmental Information, Global
Historical Climatology Network - Daily. Public domain.

Handwritten digits, 1797 images of 8 x 8 pixels. E. Alpaydin and C. Kaynak (1998). Optical
Recognition of Handwritten Digits. UCI Machine Learning Repository, doi:10.24432/C50P49. CC BY 4.0.

L. Carroll (1865). Alice's Adventures in Wonderland. The Millennium Fulcrum Edition 2.9, from the
Canterbury corpus. Public domain.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from throughtime.data.series import Series
from throughtime.data.tables.files import read_table

__all__ = [
    "CO2_FILE",
    "SEATTLE_FILE",
    "SUNSPOTS_FILE",
    "alice",
    "co2",
    "digits",
    "seattle_temperature",
    "sunspots",
]

#: The files themselves, for other readers of tables.
CO2_FILE = Path(__file__).with_name("co2.csv")
SEATTLE_FILE = Path(__file__).with_name("seattle.csv")
SUNSPOTS_FILE = Path(__file__).with_name("sunspots.csv")
ALICE_FILE = Path(__file__).with_name("alice.gz")
DIGITS_FILE = Path(__file__).with_name("digits.npz")


def co2() -> Series:
    """The weekly CO2 series of Mauna Loa, with its missing values.

    Examples
    --------
    >>> series = co2()
    >>> len(series), series.missing, series.frequency.name
    (2284, 59, 'weekly')
    """
    return read_table(CO2_FILE, target="co2", time="date").series[0]


def seattle_temperature() -> Series:
    """The highest temperature of each day in Seattle, in degrees Celsius, without missing values.

    ``SEATTLE_FILE`` also has the precipitation, the lowest temperature, the wind and the kind of
    weather.

    Examples
    --------
    >>> series = seattle_temperature()
    >>> len(series), series.missing, series.frequency.name
    (1461, 0, 'daily')
    """
    return read_table(SEATTLE_FILE, target="temp_max", time="date").series[0]


def sunspots() -> Series:
    """The mean number of sunspots of each year from 1700 to 2008.

    Its cycles last nine to fourteen years, so it has no season, and a network forecasts it far
    better than smoothing.

    Examples
    --------
    >>> series = sunspots()
    >>> len(series), series.missing
    (309, 0)
    """
    return read_table(SUNSPOTS_FILE, target="sunspots", time="year").series[0]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images of handwritten digits, in the order of their writers.

    Returns
    -------
    x : ndarray of shape (1797, 8, 8)
        Darkness from 0 to 1. Read row by row, an image is a sequence of 8 steps with 8 features.
    y : ndarray of int of shape (1797,)
        The digits, 0 to 9.

    Examples
    --------
    >>> x, y = digits()
    >>> x.shape, y[:5].tolist()
    ((1797, 8, 8), [0, 1, 2, 3, 4])
    """
    with np.load(DIGITS_FILE, allow_pickle=False) as file:
        return file["x"].astype(np.float32) / 16, file["y"].astype(np.int64)


def alice() -> str:
    """The text of *Alice's Adventures in Wonderland*, for language models.

    Its lines are as in print, of up to 72 characters; an empty line ends a paragraph.

    Examples
    --------
    >>> text = alice()
    >>> len(text), len(set(text))
    (143041, 69)
    >>> text[33:81]
    'Alice was beginning to get very tired of sitting'
    """
    return gzip.decompress(ALICE_FILE.read_bytes()).decode("ascii")
