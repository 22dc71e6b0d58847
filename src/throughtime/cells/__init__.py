"""The cells: one time step each, with its derivative written out. ``CELLS`` is their registry."""

from throughtime.cells.base import Cell
from throughtime.cells.elman import Elman
from throughtime.cells.gru import GRU
from throughtime.cells.lstm import LSTM

#: Every cell by the name of its layer; the gradient, engine and oracle tests run over this.
CELLS: dict[str, type[Cell]] = {"rnn": Elman, "gru": GRU, "lstm": LSTM}

__all__ = ["CELLS", "GRU", "LSTM", "Cell", "Elman"]
