"""The cells: one time step each, with its derivative written out. ``CELLS`` is their registry."""

from throughtime.cells.base import Cell
from throughtime.cells.diagonal import Diagonal
from throughtime.cells.elman import Elman
from throughtime.cells.general_lstm import CoupledLSTM, GeneralLSTM
from throughtime.cells.gru import GRU
from throughtime.cells.ind_rnn import IndRNN
from throughtime.cells.lru import LRU
from throughtime.cells.lstm import LSTM
from throughtime.cells.min_gru import MinGRU
from throughtime.cells.min_lstm import MinLSTM
from throughtime.cells.norm_elman import NormElman
from throughtime.cells.norm_gru import NormGRU

#: Every cell by the name of its layer; the gradient, engine and oracle tests run over this.
CELLS: dict[str, type[Cell]] = {
    "rnn": Elman,
    "gru": GRU,
    "lstm": LSTM,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "indrnn": IndRNN,
    "lru": LRU,
}

__all__ = [
    "CELLS",
    "GRU",
    "LRU",
    "LSTM",
    "Cell",
    "CoupledLSTM",
    "Diagonal",
    "Elman",
    "GeneralLSTM",
    "IndRNN",
    "MinGRU",
    "MinLSTM",
    "NormElman",
    "NormGRU",
]
