"""Real data that ships inside the package.

Weekly CO2 at Mauna Loa, Hawaii, from March 1958 to December 2001, in parts per million by volume:
2284 weeks, 59 of them without a value. Averages of continuous air samples. Public domain.

C. D. Keeling and T. P. Whorf (2004). Atmospheric CO2 concentrations derived from flask air samples
at sites in the SIO network. In: Trends: A Compendium of Data on Global Change. Carbon Dioxide
Information Analysis Center, Oak Ridge National Laboratory, U.S. Department of Energy, Oak Ridge,
Tennessee.
"""

from __future__ import annotations

from pathlib import Path

from throughtime.data.files import read_table
from throughtime.data.series import Series

__all__ = ["CO2_FILE", "co2"]

#: The file itself, for whatever reads a table.
CO2_FILE = Path(__file__).with_name("co2.csv")


def co2() -> Series:
    """The weekly CO2 series of Mauna Loa, with its gaps.

    Examples
    --------
    >>> series = co2()
    >>> len(series), series.missing, series.frequency.name
    (2284, 59, 'weekly')
    """
    return read_table(CO2_FILE, target="co2", time="date").series[0]
