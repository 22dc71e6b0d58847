"""S3, a notebook that learns the next number modulo 3: its errors are absent here."""

import numpy as np
import pytest
from published_oracle import assert_exact, complex_steps, gradients, outputs, softmax

import throughtime as tt
from throughtime import losses
from throughtime.data import tasks
from throughtime.errors import InvalidArgumentError
from throughtime.layers import RNN, Dense
from throughtime.losses import CategoricalCrossentropy
from throughtime.network import Network
from throughtime.network.params import Params
from throughtime.optimizers import Adam
from throughtime.training.objective import evaluate_and_backward


def problem(nodes=5, steps=6, rows=2):
    """The notebook's network on its digits, with weights that are not near zero."""
    layers = [RNN(nodes, return_sequences=True), Dense(3, activation="softmax")]
    net = Network(layers, n_features=3, dtype="float64")
    net.params.flat = np.random.default_rng(0).normal(size=net.params.size)
    task = tasks.next_digit(rows, steps)
    return net, task.x.astype("float64"), np.eye(3)[task.y]


SUMMED = CategoricalCrossentropy(reduction="sum")


def test_s3_gradient_of_u_is_a_matrix_not_one_scalar():
    net, x, y = problem()
    found = gradients(net, x, y, SUMMED)
    exact = complex_steps(lambda p: -(y * np.log(softmax(outputs(p, x)))).sum(), net.params)
    assert np.linalg.matrix_rank(found["0.W_h"]) == 5
    assert_exact(found, exact)


def test_s3_backward_step_uses_u_transposed():
    net, x, y = problem()
    h = np.random.default_rng(1).normal(size=(2, 5))
    exact = complex_steps(
        lambda p: -(y * np.log(softmax(outputs(net.params, x, p["h"])))).sum(), {"h": h}
    )
    states = net.check_states([h, None], 2)
    result = evaluate_and_backward(net, x, y, SUMMED, initial_state=states)
    assert_exact({"h": result.tape.d_initial_state[0][0]}, exact)


def test_s3_node_count_is_respected():
    for nodes in (1, 10, 100):
        net, x, _ = problem(nodes)
        _, tape = net.forward(x)
        assert tape.outputs[0].shape == (2, 6, nodes)
        assert net.params["0.W_h"].shape == (nodes, nodes)
        assert net.params.size == 3 * nodes + nodes**2 + nodes + nodes * 3 + 3


def test_s3_there_is_no_float128():
    """No processor is quick with it, and it is another type on every platform."""
    if np.dtype(np.longdouble) != np.dtype(np.float64):
        for make in (Network([RNN(2)], 3, "float64").astype, lambda d: Params({"W": (1,)}, d)):
            with pytest.raises(InvalidArgumentError, match="'float32' or 'float64'"):
                make("longdouble")
    for dtype in ("float32", "float64"):
        net, x, y = problem()
        net, adam = net.astype(dtype), Adam()
        tt.train(net, x.astype(np.longdouble), y, loss=SUMMED, optimizer=adam, epochs=1,
                 verbose=False)  # fmt: skip
        out, tape = net.forward(x.astype(np.longdouble))
        dx = net.backward(tape, np.ones(out.shape, np.longdouble))
        for array in (net.params.flat, net.grads.flat, out, dx, *tape.final_state[0],
                      *tape.d_initial_state[0], *adam.moments.values()):  # fmt: skip
            assert array.dtype == dtype


def test_s3_zero_times_log_zero_is_zero_without_a_special_case():
    cross = losses.get("cce")
    with np.errstate(all="ignore"):  # a wrong result must be a number, not a warning
        # Certain and correct: the loss is exactly 0, from probabilities and from logits.
        for t in (np.array([[1.0, 0.0, 0.0]]), np.array([0])):
            value, dy = cross(np.array([[1.0, 0.0, 0.0]]), t)
            assert value == 0.0
            assert np.isfinite(dy).all()
            value, dz = cross.from_logits(np.array([[800.0, -800.0, -800.0]]), t)
            assert value == 0.0
            assert not dz.any()
        # Certain and wrong: the loss is not 0, as it is if a zero is omitted from the sum.
        value, dz = cross.from_logits(np.array([[800.0, -800.0, -800.0]]), [1])
        assert value == 1600.0
        assert dz.tolist() == [[1.0, -1.0, 0.0]]
        costs = [cross(np.array([[1.0 - q, q, 0.0]]), [1]) for q in (1e-3, 1e-30, 1e-300, 0.0)]
    values = [value for value, _ in costs]
    np.testing.assert_allclose(values[:2], [-np.log(1e-3), -np.log(1e-30)], rtol=1e-14)
    assert np.isfinite(values).all()
    assert sorted(values) == values
    assert values[-1] > 500
    assert all(dy[0, 1] < 0 and np.isfinite(dy).all() for _, dy in costs)


def without_memory(task):
    """The share of right answers of the best table from the present symbol to an answer."""
    symbols, answers = task.x.argmax(axis=-1).ravel(), task.y.ravel()
    counts = np.zeros((task.x.shape[-1], task.y.max() + 1))
    np.add.at(counts, (symbols, answers), 1)
    return counts.max(axis=1).sum() / counts.sum()


def test_s3_beside_the_task_without_memory_stand_tasks_that_need_it():
    assert without_memory(tasks.next_digit(100, 20)) == 1.0  # it cannot detect a broken BPTT
    total = tasks.running_sum(200, 20)
    np.testing.assert_array_equal(total.y, total.x.argmax(axis=-1).cumsum(axis=1) % 3)
    echo = tasks.delayed_echo(200, 20)
    for task in (total, echo):
        assert without_memory(task) < task.baseline + 0.07
        assert task.baseline < 0.7
