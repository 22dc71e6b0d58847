import dataclasses

import pytest

from throughtime.layers import LAYERS
from throughtime.losses import LOSSES
from throughtime.training.fingerprint import NEWER, describe_option

RECURRENT = {
    "units", "activation", "return_sequences", "return_state", "bidirectional", "reverse",
    "initializer", "recurrent_initializer", "use_bias", "time_bias", "learn_initial_state",
    "dropout", "recurrent_dropout", "lr_multiplier", "l1", "l2",
}  # fmt: skip
WEIGHTS = {"initializer", "lr_multiplier", "l1", "l2"}
#: The options of the layers and losses of 0.2, which its checkpoints describe.
OPTIONS = {
    "RNN": RECURRENT,
    "GRU": RECURRENT | {"recurrent_activation", "reset_after"},
    "LSTM": RECURRENT | {"recurrent_activation", "forget_bias"},
    "Dense": WEIGHTS | {"units", "activation", "use_bias"},
    "Embedding": WEIGHTS | {"n_tokens", "units"},
    "Conv1D": WEIGHTS | {"activation", "dilation", "filters", "kernel_size", "padding", "stride",
                         "use_bias"},
    "Dropout": {"rate", "variational"},
    "Flatten": {"steps"},
    "RepeatVector": {"steps"},
    "LastStep": set(),
    "MeanPool": set(),
    "MaxPool": set(),
    "MaxPool1D": {"size", "stride"},
    "MeanPool1D": {"size", "stride"},
    "binary_crossentropy": {"reduction"},
    "categorical_crossentropy": {"reduction"},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_a_checkpoint_of_0_2_goes_on_where_newer_options_have_their_defaults(name):
    cls = (LAYERS if name in LAYERS else LOSSES)[name]
    newer = {f.name: f.default for f in dataclasses.fields(cls) if f.name not in OPTIONS[name]}
    assert newer == {option: NEWER[option] for option in newer}


def test_a_newer_option_is_described_where_it_has_another_value():
    GRU = LAYERS["GRU"]  # a class
    assert "zoneout" not in describe_option(GRU(2))
    assert describe_option(GRU(2, zoneout=0.5))["zoneout"] == 0.5
