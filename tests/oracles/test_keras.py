"""Keras's tests of its recurrent layers, run on our layers.

The modules come with Keras; their name ``layers`` is replaced by :mod:`oracles.keras_layers`.
What they compare with are the numbers written in them, computed by Keras's authors.
"""

from __future__ import annotations

import importlib
import unittest
import warnings
from types import SimpleNamespace

import pytest
from oracles.keras_layers import LAYERS, OneStateRNNCell

#: Tests that are run, of each module.
RUN = {
    "simple_rnn": (
        "test_correctness", "test_masking", "test_pass_initial_state", "test_statefulness",
    ),
    "gru": (
        "test_correctness0", "test_correctness1", "test_masking", "test_pass_initial_state",
        "test_pass_return_state", "test_statefulness",
    ),
    "lstm": (
        "test_correctness0", "test_correctness1", "test_masking", "test_pass_initial_state",
        "test_statefulness",
    ),
    "bidirectional": (
        "test_correctness", "test_masking", "test_pass_initial_state", "test_return_state",
        "test_statefulness",
    ),
    "rnn": (
        "test_forward_pass_single_state", "test_go_backwards", "test_masking",
        "test_passing_initial_state_single_state", "test_statefulness_single_state",
    ),
    "stacked_rnn_cells": (
        "test_correctness_single_state_stack", "test_stacked_lstm_cell_mask",
        "test_statefullness_single_state_stack",
    ),
    "time_distributed": ("test_correctness",),
}  # fmt: skip

#: Tests that are not run, and why.
NOT_RUN = {
    "about Keras's layer objects: weights, regularisers, configuration, symbolic shapes": (
        "simple_rnn.test_basics", "gru.test_basics", "lstm.test_basics", "rnn.test_basics",
        "bidirectional.test_basics", "stacked_rnn_cells.test_basics",
        "time_distributed.test_basics", "time_distributed.test_build",
        "gru.test_legacy_implementation_argument", "rnn.test_serialization",
        "bidirectional.test_output_shape", "rnn.test_compute_output_shape_single_state",
        "rnn.test_compute_output_shape_two_states", "rnn.test_dynamic_shapes",
        "stacked_rnn_cells.test_return_state_stacked_lstm_cell",
        "rnn.test_stateful_batch_size_mismatch_raises",
    ),
    "about the engines below Keras: TensorFlow's graphs, cuDNN": (
        "gru.test_stateful_with_symbolic_batch_size", "gru.test_torch_cudnn_dispatch_fires",
        "bidirectional.test_keeps_use_cudnn", "bidirectional.test_fused_lstm_eligibility",
        "bidirectional.test_fused_lstm_matches_unfused", "bidirectional.test_fused_gru_eligibility",
        "bidirectional.test_fused_gru_matches_unfused",
        "bidirectional.test_torch_cudnn_bidirectional_gru_dispatch_fires",
    ),
    "a cell of two states that is no RNN, GRU or LSTM; throughtime takes no foreign cells": (
        "rnn.test_forward_pass_two_states", "rnn.test_passing_initial_state_two_states",
        "rnn.test_statefulness_two_states", "stacked_rnn_cells.test_correctness_two_states_stack",
        "stacked_rnn_cells.test_statefullness_two_states_stack",
    ),
    "about the wrapper TimeDistributed, which throughtime does not need": (
        "time_distributed.test_mask_validation_with_3d_mask",
        "time_distributed.test_mask_validation_with_both_batch_and_timesteps_mismatched",
        "time_distributed.test_mask_validation_with_correct_shape",
        "time_distributed.test_mask_validation_with_mismatched_batch_size",
        "time_distributed.test_mask_validation_with_mismatched_timesteps",
        "time_distributed.test_mask_validation_with_none_mask",
        "time_distributed.test_masking", "time_distributed.test_with_mask_zero",
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def keras(tmp_path_factory, pytestconfig):
    """Import Keras on PyTorch, which is here anyway, and let it keep its settings elsewhere."""
    pytestconfig.addinivalue_line("markers", "requires_trainable_backend: in Keras's tests")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return importlib.import_module("keras")


def module_of(name):
    return importlib.import_module(f"keras.src.layers.rnn.{name}_test")


def case_of(module):
    (case,) = (
        c for c in vars(module).values() if isinstance(c, type) and issubclass(c, unittest.TestCase)
    )
    return case


@pytest.mark.parametrize(("name", "test"), [(n, t) for n, tests in RUN.items() for t in tests])
def test_of_keras(keras, monkeypatch, name, test):
    module = module_of(name)
    monkeypatch.setattr(module, "layers", LAYERS)
    if hasattr(module, "OneStateRNNCell"):
        monkeypatch.setattr(module, "OneStateRNNCell", OneStateRNNCell)
    case_of(module)(test).debug()


def test_every_test_is_run_or_has_a_reason(keras):
    found = {
        f"{name}.{test}"
        for name in RUN
        for test in unittest.TestLoader().getTestCaseNames(case_of(module_of(name)))
    }
    run = {f"{name}.{test}" for name, tests in RUN.items() for test in tests}
    not_run = {test for tests in NOT_RUN.values() for test in tests}
    assert run | not_run == found
    assert not run & not_run


def test_the_numbers_in_them_are_compared(keras, monkeypatch):
    # A slightly wrong layer must fail: an Elman network without its recurrent term.
    class Forgetful(LAYERS.RNN):
        def network(self, features):
            net = super().network(features)
            net.params["0.W_h"] = 0.0
            return net

    module = module_of("rnn")
    monkeypatch.setattr(module, "layers", SimpleNamespace(RNN=Forgetful))
    monkeypatch.setattr(module, "OneStateRNNCell", OneStateRNNCell)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        case_of(module)("test_forward_pass_single_state").debug()
