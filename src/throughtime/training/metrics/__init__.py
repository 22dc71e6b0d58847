r"""Metrics: numbers by which people judge a network; training minimises the loss instead.

A metric is a function of ALL outputs at once, because the mean of a ratio over batches is not the
ratio. It uses the steps that count: those that are not masked and whose weight is not zero. It is
NaN if no step counts or if an output is NaN. Where data come in batches, :class:`Running`
keeps the sums that the value is a function of; of the metrics here, only ``"auc"`` is none, and
stores the outputs that count.

Class metrics count for each class k, with the weight of each step,

    TP_k  predicted k and is k        FP_k  predicted k, is another
    FN_k  is k, predicted another     TN_k  neither                             (M1)

With one output (K = 1, the probability of "yes") the value is that of class 1. With K > 1 outputs
the largest one is the prediction, and ``average`` says how the values of the classes become one
number. With ``multilabel=True`` every output above the threshold is a prediction, and ``average``
says how the values of the labels become one number. Every ratio 0/0 counts as 0.0: a network that
never says "yes" has a precision of zero.
"""

from throughtime.training.metrics.base import METRICS, FunctionMetric, Metric, get
from throughtime.training.metrics.classification import (
    F1,
    NPV,
    Accuracy,
    BalancedAccuracy,
    Perplexity,
    Precision,
    Recall,
    Specificity,
)
from throughtime.training.metrics.confusion import ConfusionMatrix, confusion_matrix
from throughtime.training.metrics.ranking import AUC, TopKAccuracy
from throughtime.training.metrics.regression import MAE, MASE, MSE, R2, RMSE, SMAPE
from throughtime.training.metrics.running import Running
from throughtime.training.metrics.sequences import EditDistance, SequenceMetric

__all__ = [
    "AUC",
    "F1",
    "MAE",
    "MASE",
    "METRICS",
    "MSE",
    "NPV",
    "R2",
    "RMSE",
    "SMAPE",
    "Accuracy",
    "BalancedAccuracy",
    "ConfusionMatrix",
    "EditDistance",
    "FunctionMetric",
    "Metric",
    "Perplexity",
    "Precision",
    "Recall",
    "Running",
    "SequenceMetric",
    "Specificity",
    "TopKAccuracy",
    "confusion_matrix",
    "get",
]
