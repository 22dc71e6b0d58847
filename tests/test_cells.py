"""One step of every cell, its derivative, and values that other libraries computed."""

from types import SimpleNamespace

import numpy as np
import pytest
from naive import STEPS
from network_cases import CELLS, FUNCTIONS, offered
from option_cases import OPTIONS
from test_gradients import largest_error

from throughtime import cells
from throughtime.layers import GRU, LSTM, RECURRENT, RNN
from throughtime.network import Network

EVERY = CELLS | OPTIONS
every_cell = pytest.mark.parametrize("name", EVERY)
VARIANTS = ["tanh", "softmax, warm", "custom"]


def setting(name, activation="tanh", bias=True):
    """A layer, its parameters, and what goes into one step of three rows."""
    cls, own = EVERY[name]
    gate = "sigmoid" if activation == "tanh" else activation
    functions = {"activation": FUNCTIONS[activation], "recurrent_activation": FUNCTIONS[gate]}
    layer = cls(3, use_bias=bias, **own | offered(cls, **functions))
    rng = np.random.default_rng(0)
    net = Network([layer], 2, "float64")
    net.params.flat = rng.normal(size=net.params.size)
    grad = net.grads.group("0")
    state = tuple(rng.normal(size=(3, layer.state_widths[name])) for name in layer.cell.states)
    a = rng.normal(size=(3, len(layer.cell.gates) * layer.state_units))
    drop = rng.choice([0.0, 2.0], size=state[0].shape) if layer.cell.recurrent_weights else None
    return layer, net, grad, a, state, drop, rng


def test_the_registries_agree():
    assert set(cells.CELLS) == set(RECURRENT)
    for name, cell in cells.CELLS.items():
        assert type(RECURRENT[name](2).cell) is cell
    assert {cls for cls, _ in CELLS.values()} == set(RECURRENT.values())
    assert [cell.gates for cell in cells.CELLS.values()] == [
        ("h",), ("r", "z", "n"), ("i", "f", "g", "o"),
        ("z", "n"), ("i", "f", "g"), ("h",), ("re", "im"),
    ]  # fmt: skip


@every_cell
@pytest.mark.parametrize("activation", VARIANTS)
@pytest.mark.parametrize("dropped", [False, True], ids=["", "dropout"])
def test_step_backward_is_the_derivative_of_step(name, activation, dropped):
    layer, net, grad, a, state, drop, rng = setting(name, activation)
    cell, p, drop = layer.cell, net.params.group("0"), drop if dropped else None
    new, saved = cell.step(p, a, state, drop)
    up = tuple(rng.normal(size=s.shape) for s in new)

    def value():
        states, _ = cell.step(p, a, state, drop)
        return sum(float((u * s).sum()) for u, s in zip(up, states, strict=True))

    da, d_state, *more = cell.step_backward(p, up, state, new, saved, drop)
    used = state[0] if drop is None else state[0] * drop
    cell.recurrent_gradients(grad, used, da, saved, *more)
    errors = [largest_error(value, a, da)]
    errors += [largest_error(value, s, d) for s, d in zip(state, d_state, strict=True)]
    others = {"W_h", "b_hn", *cell.extra_shapes(3), *cell.bias_shapes(3)} & vars(p).keys()
    for leaf in others - {"g_x"}:  # that is of the input's part
        errors.append(largest_error(value, net.params[f"0.{leaf}"], getattr(grad, leaf)))
    assert max(errors) < 1e-6, errors


@every_cell
@pytest.mark.parametrize("activation", VARIANTS)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_step_is_the_equations_gate_by_gate(name, activation, bias):
    layer, net, _, a, state, _, _ = setting(name, activation, bias)
    new, _ = layer.cell.step(net.params.group("0"), a, state)
    p = {key[2:]: value for key, value in net.params.items()} | {"W_x": np.eye(a.shape[1]), "b": 0}
    p.pop("W_d", None)  # of the layer, not of the cell
    p.pop("g_x", None)  # a_t is the whole of the input's part
    for n in range(3):
        expected = STEPS[type(layer).__name__](layer, p, a[n], tuple(s[n] for s in state), 0.0)
        for got, want in zip(new, expected[: len(new)], strict=True):
            np.testing.assert_allclose(got[n], want, rtol=1e-13, atol=1e-15)


def test_an_open_lstm_keeps_its_memory_and_a_shut_one_does_not():
    layer = LSTM(1)
    p = SimpleNamespace(W_h=np.zeros((1, 4)))
    state = (np.zeros((1, 1)), np.array([[0.7]]))
    for forget, kept in [(800.0, 0.7), (-800.0, 0.0)]:
        (_, c), _ = layer.cell.step(p, np.array([[-800.0, forget, 0.3, 800.0]]), state)
        assert c == pytest.approx(kept, abs=1e-300)


def test_a_gru_whose_update_gate_is_open_keeps_its_state():
    """(G4): z = 1 keeps h; the form of PyTorch and Keras, not 1 - z of Cho et al."""
    p = SimpleNamespace(W_h=np.zeros((1, 3)))
    for z, expected in [(800.0, 0.7), (-800.0, np.tanh(0.3))]:
        (h,), _ = GRU(1).cell.step(p, np.array([[0.0, z, 0.3]]), (np.array([[0.7]]),))
        assert h == pytest.approx(expected, rel=1e-15)


# -- numbers of other libraries ---------------------------------------------------------------

#: PyTorch, test/cpp/api/rnn.cpp, CheckOutputValuesMatchPyTorch: h_t of LSTM(2, 2), then c_3.
TORCH_H = """
.4391 .5402 .4330 .5324 .4261 .5239 .4183 .5147 .6822 .8064 .6726 .7968
.6620 .7860 .6501 .7741 .7889 .9003 .7769 .8905 .7635 .8794 .7484 .8666"""
TORCH_C = "1.1647 1.6106 1.1425 1.5726 1.1187 1.5329 1.0931 1.4911"


def numbers(text):
    return np.array(text.split(), dtype=float)


def ramp(*shape):
    size = int(np.prod(shape))
    return np.arange(size).reshape(shape) / size


def test_pytorchs_lstm():
    """Its weights are (4H, F) and it has two biases; every number is i / count."""
    net = Network([LSTM(2, return_sequences=True)], 2, "float64")
    net.params["0.W_x"] = ramp(8, 2).T
    net.params["0.W_h"] = ramp(8, 2).T
    net.params["0.b"] = 2 * ramp(8)
    x = ((24 - np.arange(24)) / 24).reshape(3, 4, 2).swapaxes(0, 1)
    y, tape = net.forward(x)
    np.testing.assert_allclose(y.swapaxes(0, 1).ravel(), numbers(TORCH_H), atol=6e-5)
    np.testing.assert_allclose(tape.final_state[0][1].ravel(), numbers(TORCH_C), atol=6e-5)


def keras(layer, x, bias=0.03, forget=None):
    """The last h of a layer whose kernel is .01, recurrent kernel .02 and bias .03 throughout."""
    net = Network([layer], x.shape[-1], "float64")
    for name, value in [("W_x", 0.01), ("W_h", 0.02), ("b", bias), ("b_hn", bias)]:
        for group in ("0", "0.forward", "0.backward"):
            if f"{group}.{name}" in net.params:
                net.params[f"{group}.{name}"] = value
    if isinstance(layer, GRU) and layer.reset_after and layer.use_bias:
        net.params["0.b"][: 2 * layer.units] = 2 * bias  # Keras has both biases at r and z
    if forget is not None:
        net.params["0.b"][layer.units : 2 * layer.units] = forget
    return net, x


SHORT = np.arange(24.0).reshape(2, 3, 4)
LONG = np.arange(72.0).reshape(3, 6, 4)
KERAS = {
    "SimpleRNN": (RNN(4), SHORT, None, [0.405432, 0.73605347]),
    "SimpleRNN, backwards": (RNN(4, reverse=True), SHORT, None, [0.11144729, 0.5528889]),
    "GRU": (GRU(3), LONG, None, [0.5217289, 0.6371659, 0.39384964]),
    "GRU, reset before": (
        GRU(3, reset_after=False), LONG, None, [0.51447755, 0.6426879, 0.40208298],
    ),
    "GRU, no bias": (GRU(3, use_bias=False), LONG, None, [0.49988455, 0.64701194, 0.4103359]),
    "GRU, backwards": (GRU(3, reverse=True), LONG, None, [0.24406259, 0.611516, 0.3928808]),
    "LSTM": (LSTM(3), LONG, 1.0, [0.6288687, 0.86899155, 0.9460773]),
    "LSTM, forget bias": (LSTM(3), LONG, 0.03, [0.57019705, 0.8661914, 0.9459622]),
    "LSTM, no bias": (LSTM(3, use_bias=False), LONG, None, [0.54986924, 0.86226785, 0.9443936]),
    "LSTM, backwards": (LSTM(3, reverse=True), LONG, 1.0, [0.35622165, 0.74789524, 0.8872726]),
}  # fmt: skip


@pytest.mark.parametrize("name", KERAS)
def test_keras(name):
    layer, x, forget, expected = KERAS[name]
    net, x = keras(layer, x, forget=forget)
    np.testing.assert_allclose(net.predict(x), np.tile(expected, (layer.units, 1)).T, atol=2e-6)


def test_keras_state_goes_on():
    net, x = keras(RNN(4), SHORT)
    _, tape = net.forward(x)
    y, _ = net.forward(x, initial_state=tape.final_state)
    np.testing.assert_allclose(y, np.tile([0.40559256, 0.7361247], (4, 1)).T, atol=2e-6)


def test_keras_given_state():
    net, x = keras(LSTM(2), np.arange(24.0).reshape(2, 4, 3), forget=1.0)
    start = np.arange(4.0).reshape(2, 2)
    y, _ = net.forward(x, initial_state=[(start, start)])
    np.testing.assert_allclose(y, [[0.20574439, 0.3558822], [0.64930826, 0.66276]], atol=2e-6)


def test_keras_bidirectional():
    net, x = keras(RNN(2, bidirectional=True), SHORT[:1])
    expected = [[0.39687276, 0.39687276, 0.10004295, 0.10004295]]
    np.testing.assert_allclose(net.predict(x), expected, atol=2e-7)
