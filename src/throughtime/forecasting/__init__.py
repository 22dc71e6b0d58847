"""Forecasting on the core alone: NumPy, no scikit-learn, no pandas.

::

    from throughtime.data import co2
    from throughtime.forecasting import Forecaster

    y = co2().values
    model = Forecaster(horizon=104, frequency="W")
    print(model.backtest(y))                # fits before the tail, forecasts it, compares
    forecast = model.fit(y).predict()
    forecast.mean, forecast.lower(0.8), forecast.upper(0.8)
    model.save("model.safetensors")
    Forecaster.load("model.safetensors").update(newer_values).predict()

Several series share one network: ``fit({"north": y1, "south": y2})``, and ``predict()`` answers
with a dict. NaN are missing values. A pandas object with an index of dates, and a
:class:`throughtime.data.Series`, keep their times: ``forecast.times`` are those of the steps ahead.

============= ==================================================================
seasonality   which cycles a series may have
smoothing     exponential smoothing: the anchor
calendars     when the steps of a series are
inputs        what the network reads, and what it has to answer
learning      training of the networks
calibration   how far to trust them, and how wide intervals must be
model         a fitted model as plain data, and its forecasts
fitting       all of this, in order
baselines     naive forecasts;  backtest: errors beside theirs
storage       files
============= ==================================================================
"""

from throughtime.forecasting.forecaster import Forecaster
from throughtime.forecasting.results import BacktestReport, Fold, Forecast, Progress, Score

__all__ = ["BacktestReport", "Fold", "Forecast", "Forecaster", "Progress", "Score"]
