"""The public gradient check: correct gradients pass, wrong ones fail, and nothing changes."""

import numpy as np
import pytest
from network_cases import CASES, CELLS, Case, offered

import throughtime as tt
from throughtime import gradcheck
from throughtime.activations import Custom
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.gradcheck import check_gradients
from throughtime.layers import GRU, LSTM, RNN, Dense, Dropout, Embedding
from throughtime.network import Network

WRONG = Custom(np.sin, derivative=lambda z: np.cos(z) * 1.001)


def data(rows=3, steps=4, outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, steps, 2)), rng.normal(size=(rows, outputs))


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_with_everything_at_once(cell):
    """Ragged rows, weights, penalties, a given state, dropout, float32 parameters."""
    layer, own = CELLS[cell]
    layers = [
        layer(
            3,
            return_sequences=True,
            bidirectional=True,
            dropout=0.2,
            **offered(layer, time_bias=True),
            **own,
        ),
        layer(2, learn_initial_state=True, **offered(layer, recurrent_dropout=0.3), **own),
        Dense(1, activation="softplus", l1=0.1),
    ]
    net = Case("", layers).network("float32")
    x, y = data()
    _, tape = net.forward(x)
    report = check_gradients(
        net, x, y, "huber", lengths=[4, 0, 2], initial_state=[tape.final_state[0], None, None],
        sample_weight=[1.0, 2.0, 0.5], l2=0.1, training=True,
    )  # fmt: skip
    assert report.ok, str(report)
    assert bool(report)
    names = [row.name for row in report.rows]
    assert {"0.forward.W_x", "1.W_x", "2.b", "x", "direction 3"} <= set(names)
    assert "initial_state[0][0][0]" in names
    assert report.worst.error < 1e-6


@pytest.mark.parametrize("case", CASES[::7], ids=str)
def test_networks_of_the_suite(case):
    net = case.network()
    x, mask = case.batch(net)
    shape = net.output_shape(x.shape)
    target = np.random.default_rng(1).normal(size=shape)
    report = check_gradients(net, x, target, mask=mask, training=case.training, max_numbers=40,
                             initial_state=case.initial_state(net, len(x)))  # fmt: skip
    assert report.ok, str(report)


def test_a_wrong_derivative_is_found_and_named():
    net = Case("", [RNN(2, activation=WRONG), Dense(1)]).network()
    report = check_gradients(net, *data())
    assert not report.ok
    assert not report
    assert 1e-5 < report.worst.error < 1e-2
    lines = str(report).splitlines()
    assert lines[0].split() == ["array", "shape", "checked", "error", "at", "backpropagation",
                                "differences"]  # fmt: skip
    assert len(lines) == len(report.rows) + 2
    assert lines[-1].startswith("NOT RIGHT: ")
    errors = {row.name: row.error for row in report.rows}
    assert max(errors["1.W"], errors["1.b"]) < 1e-8  # the layer after it is correct
    assert min(errors["0.W_x"], errors["direction 1"]) > 1e-5


def test_a_small_sample_of_a_large_network_still_finds_it():
    net = Network([LSTM(20, activation=WRONG), Dense(1)], 2, seed=1)
    report = check_gradients(net, *data(), max_numbers=5, directions=2)
    assert not report.ok
    checked = {row.name: row.checked for row in report.rows}
    assert sum(n for name, n in checked.items() if "direction" not in name) <= 5 + len(checked)
    assert checked["direction 1"] == net.params.size + 24


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_networks_of_a_real_size_along_random_directions(layer):
    """Thousands of parameters and sixty steps: four evaluations a direction, whatever the size."""
    layers = [layer(24, return_sequences=True, bidirectional=True), layer(24), Dense(3)]
    net = Network(layers, 5, seed=2)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 60, 5)), rng.normal(size=(6, 3))
    report = check_gradients(net, x, y, lengths=[60, 41, 7, 1, 0, 59], max_numbers=1, directions=5)
    assert report.ok, str(report)
    assert report.worst.error < 1e-7


def test_a_right_report_reads_so():
    net = Case("", [GRU(2), Dense(1)]).network()
    report = check_gradients(net, *data(), tolerance=1e-5)
    assert str(report).splitlines()[-1].startswith("all gradients agree; largest relative error ")
    assert str(report).endswith("allowed 1e-05")


def test_nothing_of_the_user_is_changed():
    net = Case("", [LSTM(2), Dense(1)]).network()
    net.grads.flat = 3.0
    x, y = data()
    h = (np.full((3, 2), 0.2), np.full((3, 2), 0.1))
    before = [a.copy() for a in (net.params.flat, net.grads.flat, x, y, *h)]
    for array in (x, y, *h):
        array.flags.writeable = False
    assert check_gradients(net, x, y, initial_state=[h]).ok
    for old, new in zip(before, (net.params.flat, net.grads.flat, x, y, *h), strict=True):
        assert np.array_equal(old, new)


def test_the_same_seed_checks_the_same_numbers():
    net = Case("", [GRU(4), Dropout(0.3), Dense(1)]).network()
    a = check_gradients(net, *data(), max_numbers=10, training=True, seed=4)
    b = check_gradients(net, *data(), max_numbers=10, training=True, seed=4)
    assert a == b
    assert check_gradients(net, *data(), max_numbers=10, training=True, seed=5) != a


def test_a_kink_inside_the_step_is_no_error():
    """A pre-activation of ReLU nearer to zero than the first step of the differences."""
    net = Network([Dense(1, activation="relu")], 2, "float64")
    net.params["0.W"] = [[1.0], [-1.0]]
    x = np.array([[[0.3, 0.3 - 1e-4]]])
    report = check_gradients(net, x, np.ones((1, 1, 1)), "mae")
    assert report.ok, str(report)


def test_tokens_have_no_gradient_and_parameters_have():
    net = Network([Embedding(5, 2), GRU(2), Dense(1)])
    report = check_gradients(net, [[1, 2, 4], [3, 3]], [[1.0], [0.5]])
    assert report.ok, str(report)
    assert "x" not in [row.name for row in report.rows]


def test_it_is_public():
    assert tt.check_gradients is check_gradients


def test_arguments_that_do_not_fit_are_refused():
    net = Network([RNN(2), Dense(1)], 2)
    x, y = data()
    for error, options, words in [
        (InvalidArgumentError, {"max_numbers": 0}, "max_numbers must be an integer >= 1; got 0."),
        (InvalidArgumentError, {"directions": -1}, "directions must be an integer >= 0; got -1."),
        (InvalidArgumentError, {"tolerance": 0}, "tolerance must be a finite number > 0; got 0."),
        (InvalidTypeError, {"loss": 3}, None),
    ]:  # fmt: skip
        with pytest.raises(error) as caught:
            check_gradients(net, x, y, **options)
        assert words is None or str(caught.value) == words
    with pytest.raises(ShapeError) as caught:
        check_gradients(net, x, y[:2])
    assert str(caught.value) == "y must hold one target for each of the 3 sequences; got 2 of them."


def test_an_infinite_objective_is_refused():
    net = Network([Dense(1, activation="exp")], 1, "float64")
    net.params["0.W"] = 800.0
    with pytest.raises(InvalidArgumentError) as caught:
        check_gradients(net, np.ones((1, 1, 1)), np.ones((1, 1, 1)))
    assert str(caught.value) == "the objective must be finite to be differentiated; got inf."


def test_the_callers_arrays_are_left_alone():
    # A float64 input is not copied, so a read-only one could not be perturbed in place.
    rng = np.random.default_rng(0)
    x, state = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 4))
    x.flags.writeable = state.flags.writeable = False
    net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(1)], n_features=2)
    y = rng.normal(size=(2, 1))
    assert check_gradients(net, x, y, initial_state={0: state}).ok


def test_a_wrong_gradient_is_named_wherever_it_shows():
    wrong = Custom(np.tanh, derivative=lambda z: 1.1 * (1 - np.tanh(z) ** 2))
    net = tt.Network([tt.layers.RNN(3, activation=wrong)], n_features=2)
    rng = np.random.default_rng(0)
    report = check_gradients(net, rng.normal(size=(2, 4, 2)), rng.normal(size=(2, 3)), directions=1)
    names = "0.W_x, 0.W_h, 0.b, x, direction 1"
    assert str(report).splitlines()[-1].startswith(f"NOT RIGHT: {names};")


def test_the_old_name_of_a_row_warns():
    with pytest.warns(DeprecationWarning, match="Row is called GradientRow"):
        assert gradcheck.Row is gradcheck.GradientRow
    with pytest.raises(AttributeError, match="has no attribute 'Rows'"):
        gradcheck.Rows  # noqa: B018  # to look it up is the test
