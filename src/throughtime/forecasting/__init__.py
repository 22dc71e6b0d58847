"""Forecasting on the core alone: NumPy, no scikit-learn, no pandas.

>>> from throughtime.forecasting import Forecaster              # doctest: +SKIP
>>> model = Forecaster(horizon=104, frequency="W")              # doctest: +SKIP
>>> print(model.backtest(y))        # fit before the tail, forecast it    # doctest: +SKIP
>>> forecast = model.fit(y).predict()                           # doctest: +SKIP
>>> forecast.mean, forecast.lower(0.8), forecast.upper(0.8)     # doctest: +SKIP
>>> model.save("model.safetensors")                             # doctest: +SKIP
>>> Forecaster.load("model.safetensors").predict(y=newer_y)     # doctest: +SKIP

Several series share one network: ``fit({"north": y1, "south": y2})`` and ``predict()`` answers
with a dict. NaN are missing values.
"""

from throughtime.forecasting.forecaster import Forecaster
from throughtime.forecasting.results import BacktestReport, Fold, Forecast, Progress, Score

__all__ = ["BacktestReport", "Fold", "Forecast", "Forecaster", "Progress", "Score"]
