"""Layers: what a network is made of. ``LAYERS`` is their registry."""

from throughtime.layers.additive import AdditiveAttention
from throughtime.layers.base import LAYERS, Call, Layer, Result
from throughtime.layers.convolution import Conv1D
from throughtime.layers.crf import CRF
from throughtime.layers.dense import Dense, Dropout, Embedding
from throughtime.layers.diagonal import LRU, Diagonal, IndRNN, MinGRU, MinLSTM
from throughtime.layers.distance import Distance
from throughtime.layers.forms import Form, Steps
from throughtime.layers.merging import Add, Average, Concatenate, Multiply
from throughtime.layers.multihead import MultiHeadAttention
from throughtime.layers.normalization import LayerNorm, RMSNorm
from throughtime.layers.pooling import Flatten, LastStep, MaxPool, MeanPool, RepeatVector
from throughtime.layers.rearranging import Repeat, SliceFeatures, SliceSteps, TimeReverse
from throughtime.layers.recurrent import Recurrent
from throughtime.layers.rnn import GRU, LSTM, RNN
from throughtime.layers.symbols import Input, StateSymbol, Symbol
from throughtime.layers.window_pooling import MaxPool1D, MeanPool1D

#: The recurrent layers by the name of their cell in ``CELLS``.
RECURRENT: dict[str, type[Recurrent]] = {
    "rnn": RNN,
    "gru": GRU,
    "lstm": LSTM,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "indrnn": IndRNN,
    "lru": LRU,
}

__all__ = [
    "CRF",
    "GRU",
    "LAYERS",
    "LRU",
    "LSTM",
    "RECURRENT",
    "RNN",
    "Add",
    "AdditiveAttention",
    "Average",
    "Call",
    "Concatenate",
    "Conv1D",
    "Dense",
    "Diagonal",
    "Distance",
    "Dropout",
    "Embedding",
    "Flatten",
    "Form",
    "IndRNN",
    "Input",
    "LastStep",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "MaxPool1D",
    "MeanPool",
    "MeanPool1D",
    "MinGRU",
    "MinLSTM",
    "MultiHeadAttention",
    "Multiply",
    "RMSNorm",
    "Recurrent",
    "Repeat",
    "RepeatVector",
    "Result",
    "SliceFeatures",
    "SliceSteps",
    "StateSymbol",
    "Steps",
    "Symbol",
    "TimeReverse",
]
