"""Layers: what a network is made of. ``LAYERS`` is their registry."""

from throughtime.layers.base import LAYERS, Layer
from throughtime.layers.dense import Dense, Dropout, Embedding
from throughtime.layers.pooling import LastStep, MaxPool, MeanPool, RepeatVector
from throughtime.layers.recurrent import Recurrent
from throughtime.layers.rnn import GRU, LSTM, RECURRENT, RNN

__all__ = [
    "GRU",
    "LAYERS",
    "LSTM",
    "RECURRENT",
    "RNN",
    "Dense",
    "Dropout",
    "Embedding",
    "LastStep",
    "Layer",
    "MaxPool",
    "MeanPool",
    "Recurrent",
    "RepeatVector",
]
