"""Options of the recurrent layers, for the tests of layers and of cells."""

from typing import Any

from throughtime.layers import GRU, LSTM, RNN, Recurrent

#: Combinations of options that every test of a cell runs.
VARIANTS: dict[str, tuple[type[Recurrent], dict[str, Any]]] = {
    "rnn, normalised": (RNN, {"layer_norm": True, "zoneout": 0.2}),
    "gru, normalised": (GRU, {"layer_norm": True, "hidden_clip": 0.6, "zoneout": 0.3}),
    "gru, normalised, reset before": (GRU, {"layer_norm": True, "reset_after": False}),
    "lstm, normalised": (
        LSTM, {"layer_norm": True, "peepholes": True, "proj_size": 2, "zoneout": 0.2,
               "cell_zoneout": 0.3},
    ),
    "lstm, coupled gates": (LSTM, {"coupled_gates": True, "peepholes": True}),
}  # fmt: skip

#: The options of recurrent layers, alone and in twos.
OPTIONS: dict[str, tuple[type[Recurrent], dict[str, Any]]] = {
    "rnn, clipped": (RNN, {"hidden_clip": 0.4}),
    "rnn, zoneout": (RNN, {"zoneout": 0.4}),
    "gru, clipped": (GRU, {"hidden_clip": 0.4}),
    "gru, zoneout": (GRU, {"zoneout": 0.4}),
    "gru, zoneout, reset before": (GRU, {"zoneout": 0.4, "reset_after": False}),
    "lstm, normalised alone": (LSTM, {"layer_norm": True}),
    "lstm, peepholes": (LSTM, {"peepholes": True}),
    "lstm, coupled": (LSTM, {"coupled_gates": True}),
    "lstm, coupled, normalised": (LSTM, {"coupled_gates": True, "layer_norm": True}),
    "lstm, projected": (LSTM, {"proj_size": 2}),
    "lstm, projected wide": (LSTM, {"proj_size": 4, "layer_norm": True}),
    "lstm, projected, clipped": (LSTM, {"proj_size": 2, "hidden_clip": 0.2, "zoneout": 0.3}),
    "lstm, cell clipped": (LSTM, {"cell_clip": 0.3}),
    "lstm, cell clipped, peepholes": (LSTM, {"cell_clip": 0.4, "peepholes": True}),
    "lstm, clipped": (LSTM, {"hidden_clip": 0.2}),
    "lstm, zoneout": (LSTM, {"zoneout": 0.4}),
    "lstm, cell zoneout": (LSTM, {"cell_zoneout": 0.4}),
}
