"""Networks learn tasks that need memory, with fixed seeds, scored on held-out sequences.

Every network here would fail with a wrong gradient through time: the baseline of a task is the
score of the best answer without memory, or of always giving the same answer.
"""

import numpy as np
import pytest

import throughtime as tt
from throughtime.data import tasks
from throughtime.layers import GRU, LSTM, RNN, Dense
from throughtime.optimizers import Adam
from throughtime.optimizers.schedules import Cosine


def learn(task, layers, epochs, lr, batch_size=32):
    """Train on ``task`` with a learning rate that falls to zero; the network."""
    net = tt.Network(layers, n_features=task.x.shape[-1], seed=0)
    tt.train(
        net, task.x, task.y, loss=task.loss, optimizer=Adam(Cosine(lr, length=epochs)),
        epochs=epochs, batch_size=batch_size, clip_norm=1.0,
    )  # fmt: skip
    return net


@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_running_sum_modulo_three(cell):
    task = tasks.running_sum(512, 20, seed=0)
    held_out = tasks.running_sum(256, 20, seed=1)
    layers = [cell(16, return_sequences=True), Dense(3, activation="softmax")]
    net = learn(task, layers, epochs=40, lr=0.02)
    np.testing.assert_array_equal(net.predict(held_out.x).argmax(axis=-1), held_out.y)
    assert held_out.baseline < 0.4


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_delayed_echo(cell):
    task = tasks.delayed_echo(512, 20, seed=0)
    held_out = tasks.delayed_echo(256, 20, seed=1)
    layers = [cell(32, return_sequences=True), Dense(4, activation="softmax")]
    net = learn(task, layers, epochs=30, lr=0.01)
    np.testing.assert_array_equal(net.predict(held_out.x).argmax(axis=-1), held_out.y)
    assert held_out.baseline < 0.4


def test_adding_problem_over_fifty_steps():
    task = tasks.adding_problem(4000, 50, seed=0)
    held_out = tasks.adding_problem(1000, 50, seed=1)
    net = learn(task, [GRU(32), Dense(1)], epochs=15, lr=0.01, batch_size=64)
    assert np.mean((net.predict(held_out.x) - held_out.y) ** 2) < 0.005 < held_out.baseline


def test_first_letter_equals_last_letter():
    # No more than the 480 strings of the published experiment. Without dropout a network of this
    # size memorises them and scores no better than the majority class on others.
    task = tasks.first_equals_last(480, seed=0)
    held_out = tasks.first_equals_last(2000, seed=1)
    layers = [GRU(16, dropout=0.2, recurrent_dropout=0.2), Dense(1, activation="sigmoid")]
    net = learn(task, layers, epochs=150, lr=0.02)
    assert np.mean((net.predict(held_out.x) > 0.5) == held_out.y) >= 0.99 > held_out.baseline
