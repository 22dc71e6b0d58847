"""S2, slides on a network for a noisy sine: its errors are absent here.

As the slides are written, the gradients of W_x, W_h and b are wrong, each by more than one error.
Each test shows, on numbers that can be worked out by hand, the one error that it is named for, and
then holds the gradients of their network to rounding.
"""

import numpy as np
from published_oracle import assert_exact, complex_steps, gradients, it_runs, outputs

import throughtime as tt
from throughtime import losses
from throughtime.initializers import Normal
from throughtime.layers import RNN, Dense
from throughtime.network import Network


def slides(step=0.5, neurons=12):
    """Their network, no output bias, on their sine; the points are fewer, from -10 to 10 too."""
    layers = [
        RNN(neurons, return_sequences=True, initializer=Normal(0.1),
            recurrent_initializer=Normal(0.1)),
        Dense(1, use_bias=False, initializer=Normal(0.1)),
    ]  # fmt: skip
    net = Network(layers, n_features=1, dtype="float64")
    rng = np.random.default_rng(0)
    net.params["0.b"] = 0.1 * rng.normal(size=neurons)
    x = np.arange(-10.0, 10.0 + step / 2, step)
    return net, x[None, :, None], (np.sin(x) + 0.1 * rng.normal(size=x.size))[None, :, None]


def assert_slides_right():
    """1/(2T) sum (yhat - y)^2, and its gradient."""
    net, x, y = slides()
    exact = complex_steps(lambda p: ((outputs(p, x) - y) ** 2).sum() / (2 * x.shape[1]), net.params)
    assert_exact(gradients(net, x, y, "half_mse"), exact)


def linear(units, **params):
    """h_t = x_t W_x + h_{t-1} W_h, on which gradients are whole numbers."""
    layer = RNN(units, activation="identity", use_bias=False, return_sequences=True)
    net = Network([layer], n_features=units, dtype="float64")
    for name, value in params.items():
        net.params[f"0.{name}"] = value
    return net


def test_s2_every_step_has_an_activation_of_its_own():
    net = Network([RNN(1, return_sequences=True)], n_features=1, dtype="float64")
    net.params["0.W_x"], net.params["0.W_h"] = 1.0, 0.0
    # Saturated, at rest, half-way, saturated: f' of any one step is wrong at the others.
    x = np.array([20.0, 0.0, 0.5, -20.0])[None, :, None]
    _, tape = net.forward(x)
    dx = net.backward(tape, np.ones_like(x))
    np.testing.assert_allclose(dx, 1 / np.cosh(x) ** 2, rtol=1e-13, atol=1e-15)
    assert_slides_right()


def test_s2_w_h_is_transposed_in_the_backward_recursion():
    net = linear(2, W_x=np.eye(2), W_h=[[0.0, 1.0], [0.0, 0.0]])  # unit 0 feeds unit 1
    _, tape = net.forward(np.zeros((1, 1, 2)))
    net.backward(tape, [[[0.0, 1.0]]])
    # The gradient of unit 1 goes to unit 0; the previous value of unit 1 has no effect.
    np.testing.assert_array_equal(tape.d_initial_state[0][0], [[1.0, 0.0]])
    assert_slides_right()


def test_s2_gradient_of_w_h_is_not_transposed():
    net = linear(2, W_x=np.eye(2), W_h=np.zeros((2, 2)))
    _, tape = net.forward(np.zeros((1, 1, 2)), initial_state=[np.array([[3.0, 5.0]])])
    net.backward(tape, [[[0.0, 1.0]]])
    # h_0 = (3, 5) times da_1 = (0, 1)
    np.testing.assert_array_equal(net.grads["0.W_h"], [[0.0, 3.0], [0.0, 5.0]])
    assert_slides_right()


def test_s2_output_gradient_is_used_at_its_own_step():
    net = linear(1, W_x=[[1.0]], W_h=[[0.0]])  # no memory: an output depends on its own input alone
    for t in range(5):
        _, tape = net.forward(np.ones((1, 5, 1)))
        dy = np.zeros((1, 5, 1))
        dy[0, t] = 1.0
        np.testing.assert_array_equal(net.backward(tape, dy), dy)
    assert_slides_right()


def test_s2_gradient_is_divided_by_t_as_the_loss_is():
    half = losses.get("half_mse")
    rng = np.random.default_rng(0)
    for steps in (1, 7, 200):
        y, target = rng.normal(size=(2, 1, steps, 1))
        value, dy = half(y, target)
        np.testing.assert_allclose(value, ((y - target) ** 2).sum() / (2 * steps), rtol=1e-13)
        np.testing.assert_allclose(dy, (y - target) / steps, rtol=1e-13)
    assert_slides_right()


def test_s2_a_trained_network_applies_to_a_longer_series():
    net, x, y = slides()
    tt.train(net, x, y, loss="half_mse", epochs=3, verbose=False)
    for new in (np.arange(0.0, 20.0, 0.3), np.linspace(-10, 30, 401), np.zeros(1)):
        series = new[None, :, None]
        with it_runs():
            found = net.predict(series)
        np.testing.assert_allclose(found, outputs(net.params, series), rtol=1e-9, atol=1e-12)
