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
forecaster    the public class
settings      its parameters as plain data;  fitted: what fitting leaves
fitting       all steps of fitting, in order
predicting    the forecast of one series;  limits: where it is 0, and no less
backtest      forecasts of a hold-out
series        one series or many;  reading: what a user passes, checked
calendars     when their steps are;  holidays: which of them are days off
covariates    on a common scale
seasonality   which cycles a series may have
regression    the effects of columns;  terms: which columns;  rows: what they are made of
holidays      the days of a country that are columns
adjusting     which effects a series has;  selecting: which earn their place
adjustment    removed before smoothing, and restored afterwards;  effects: in words
smoothing     exponential smoothing;  grid: its settings;  rolling: from many origins at once
averaging     the average of all settings;  anchor: that of one series, and its past errors
inputs        what a network trained on the data reads, and what it must predict
windows       the windows to train and to validate on;  sampling: new ones each epoch
base_network  networks that have seen other series;  outlook: what they read of a series
correcting    the share of their correction that each series takes
base_training how they learn, and are tuned on series of your own
found         what fitting found, as attributes
networks      how networks are built, trained and used
trust         how far their correction is used;  calibration: the width of intervals
widths        how large errors will be, from those inside the history
baselines     naive forecasts, and errors to compare by
choosing      whether a naive forecast did clearly better;  delivery: which one a series gets
intermittent  demand that is mostly zero
notes         sentences for the reader;  results: what is returned
horizon       how much each step ahead counts;  sharing: many series on several threads
storage       files;  saved: their parts, checked
============= ==================================================================
"""

from throughtime.forecasting.base_training import Tuned, tune_base_model
from throughtime.forecasting.forecaster import Forecaster
from throughtime.forecasting.results import (
    BacktestReport,
    Fold,
    Forecast,
    Progress,
    Score,
    Stage,
)

__all__ = [
    "BacktestReport",
    "Fold",
    "Forecast",
    "Forecaster",
    "Progress",
    "Score",
    "Stage",
    "Tuned",
    "tune_base_model",
]
