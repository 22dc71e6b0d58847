"""S1, a lecture note on recurrent networks from scratch: its errors are absent here.

``published.py`` lists the errors; ``test_published_errors.py`` puts each one into the package.
"""

import numpy as np
from published_oracle import (
    assert_exact,
    complex_steps,
    gradients,
    it_runs,
    outputs,
    softmax,
)

import throughtime as tt
from throughtime.activations import Sigmoid, Softmax
from throughtime.layers import RNN, Dense, Dropout
from throughtime.network import Network
from throughtime.optimizers import SGD, Adagrad, Adam, RMSProp


def problem(steps=5, rows=3, seed=0, **options):
    """A network with its data, and the gradients of the mean square, exact to rounding."""
    rng = np.random.default_rng(seed)
    layers = [RNN(4, return_sequences=True, **options), Dense(2)]
    net = Network(layers, n_features=3, dtype="float64", seed=seed)
    net.params.flat = rng.normal(size=net.params.size) / 2
    x, y = rng.normal(size=(rows, steps, 3)), rng.normal(size=(rows, steps, 2))
    exact = complex_steps(lambda p: ((outputs(p, x) - y) ** 2).mean(), net.params)
    return net, x, y, exact


def test_s1_softmax_derivative_is_the_whole_jacobian_not_its_diagonal():
    rng = np.random.default_rng(0)
    z, dy = rng.normal(size=(2, 6, 5))
    exact = complex_steps(lambda p: (dy * softmax(p["z"])).sum(), {"z": z})
    assert_exact({"z": Softmax().backward(dy, Softmax()(z), z)}, exact)
    # Raising all logits alike changes nothing; the diagonal would give y (1 - y) instead of 0.
    flat = Softmax().backward(np.ones_like(z), Softmax()(z), z)
    np.testing.assert_allclose(flat, 0.0, atol=1e-14)


def test_s1_time_bias_has_no_gradient_at_the_first_step():
    for steps in (1, 2, 6):
        net, x, y, exact = problem(steps, time_bias=True)
        found = gradients(net, x, y, "mse")
        if steps == 1:
            assert not found.pop("0.b_time").any()
            assert found["0.b"].all()
            assert not exact.pop("0.b_time").any()
            # Nor does W_h, which belongs to the same term.
            assert not found.pop("0.W_h").any()
            del exact["0.W_h"]
        assert_exact(found, exact)


def test_s1_batch_mean_is_taken_once():
    for rows in (1, 2, 8):
        net, x, y, exact = problem(rows=rows)
        found = gradients(net, x, y, "mse")
        assert_exact(found, exact)
        twice = gradients(net, np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0), "mse")
        assert_exact(twice, found)


def test_s1_weight_penalty_counts_once_an_update_not_once_a_step():
    for steps in (1, 9):
        net, x, y, _ = problem(steps)
        plain, penalised = gradients(net, x, y, "mse"), gradients(net, x, y, "mse", l2=0.3)
        for name, W in net.params.items():
            added = 0.3 * W if ".W" in name else np.zeros_like(W)  # biases have no penalty
            np.testing.assert_allclose(penalised[name] - plain[name], added, atol=1e-14)
        before = net.params.copy()
        tt.train(net, x, y, optimizer=SGD(0.1), epochs=1, batch_size=None, l2=0.3, verbose=False)
        for name, W in net.params.items():
            np.testing.assert_allclose(W, before[name] - 0.1 * penalised[name], rtol=1e-12)


def test_s1_adam_keeps_its_moments_from_epoch_to_epoch():
    net, x, y, _ = problem(rows=6)
    own, adam = net.copy(), Adam(0.01)
    mean = square = np.zeros(net.params.size)
    for t in range(1, 10):  # three batches in each of three epochs
        rows = slice(2 * ((t - 1) % 3), 2 * ((t - 1) % 3) + 2)
        gradients(own, x[rows], y[rows], "mse")
        g = own.grads.flat
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        root = np.sqrt(square / (1 - 0.999**t))
        own.params.flat -= 0.01 * mean / (1 - 0.9**t) / (root + 1e-8)
    tt.train(net, x, y, optimizer=adam, epochs=3, batch_size=2, shuffle=False, verbose=False)
    np.testing.assert_allclose(adam.moments["mean"], mean, rtol=1e-9)
    np.testing.assert_allclose(adam.moments["square_mean"], square, rtol=1e-9)
    np.testing.assert_allclose(net.params.flat, own.params.flat, rtol=1e-9)


def test_s1_adam_counts_updates_not_epochs_in_its_bias_correction():
    """Freed of their bias, the moments of a constant g are g and g^2: every step is as long."""
    adam, g = Adam(0.1, epsilon=1e-12), np.array([1e-3, -2.0, 50.0])
    params = np.zeros(3)
    for update in range(12):
        if update % 4 == 0:
            adam.begin_epoch(update // 4)
        adam.step(params, g)
        np.testing.assert_allclose(params, -0.1 * (update + 1) * np.sign(g), rtol=1e-8)
    assert adam.steps == 12


def test_s1_epsilon_stands_outside_the_square_root():
    """Beside an epsilon that is large, a small gradient shows where it stands."""
    g, epsilon = np.array([1e-6, -1e-3, 2.0]), 1e-2
    cases = [
        (Adagrad(1.0, epsilon=epsilon), 1.0),
        (RMSProp(1.0, rho=0.9, epsilon=epsilon), np.sqrt(0.1)),
        (Adam(1.0, epsilon=epsilon), 1.0),
    ]
    for optimizer, root in cases:
        params = np.zeros(3)
        optimizer.step(params, g)
        np.testing.assert_allclose(params, -g / (root * np.abs(g) + epsilon), rtol=1e-12)


def test_s1_adagrad_keeps_one_sum_for_each_number_not_for_each_row():
    adagrad, params = Adagrad(0.1, epsilon=1e-12), np.zeros(3)
    first, second = np.array([1e-3, 1.0, 1e3]), np.array([1e-3, 2.0, 0.0])
    adagrad.step(params, first)  # a row of weights whose gradients differ a millionfold
    np.testing.assert_allclose(params, -0.1, rtol=1e-8)
    adagrad.step(params, second)
    np.testing.assert_array_equal(adagrad.moments["square_sum"], first**2 + second**2)
    roots = np.sqrt(first**2 + second**2)
    np.testing.assert_allclose(params, -0.1 - 0.1 * second / roots, rtol=1e-8)


def test_s1_adagrad_works_on_bias_vectors():
    net, x, y, exact = problem()
    before = net.params.copy()
    with it_runs():
        tt.train(net, x, y, optimizer=Adagrad(0.1), epochs=1, batch_size=None, verbose=False)
    for name in ("0.b", "1.b"):
        moved = net.params[name] - before[name]
        np.testing.assert_allclose(moved, -0.1 * np.sign(exact[name]), rtol=1e-6)


def test_s1_sigmoid_and_its_derivative_are_finite_at_minus_100_in_float32():
    f = Sigmoid()
    z = np.array([-3e38, -1e4, -100, -87, -80, -20, -1, 0, 1, 20, 100, 3e38], "float32")
    with np.errstate(all="ignore"):  # a wrong result must be a number, not a warning
        y = f(z)
        slope = f.backward(np.ones_like(z), y, z)
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()
    large = np.minimum(np.abs(z.astype("float64")), 700.0)
    tail = np.exp(-large) / (1 + np.exp(-large))
    tiny = np.finfo("float32").tiny  # below, a number may be 0
    np.testing.assert_allclose(y, np.where(z < 0, tail, 1 - tail), rtol=1e-6, atol=tiny)
    np.testing.assert_allclose(slope[z < 0], (tail * (1 - tail))[z < 0], rtol=1e-6, atol=tiny)
    # From the output the derivative at z > 0 has its precision relative to 1.
    np.testing.assert_allclose(slope, tail * (1 - tail), rtol=1e-6, atol=1e-7)


def test_s1_weights_change_after_the_backward_loop_not_inside_it():
    net, x, y, exact = problem(steps=8)
    before = net.params.copy()
    gradients(net, x, y, "mse")
    assert net.params == before
    sgd = SGD(0.5)
    tt.train(net, x, y, optimizer=sgd, epochs=1, batch_size=None, verbose=False)
    assert sgd.steps == 1  # not one for each of the 8 time steps
    # One step from the initial weights: all time steps used the same weights.
    wanted = {name: before[name] - 0.5 * exact[name] for name in exact}
    assert_exact(net.params, wanted)


def test_s1_recurrent_gradients_are_sums_over_time_not_means():
    for steps in (2, 3, 12):
        net, x, y, exact = problem(steps)
        assert_exact(gradients(net, x, y, "mse"), exact)


def test_s1_extrapolation_goes_on_from_the_last_step():
    rng = np.random.default_rng(0)
    layers = [RNN(6, return_sequences=True), Dense(2)]
    net = Network(layers, n_features=2, dtype="float64")
    net.params.flat = rng.normal(size=net.params.size)
    x = rng.normal(size=(3, 10, 2))
    series = x
    for _ in range(5):  # the definition: append the last output to the series, and predict again
        series = np.concatenate([series, outputs(net.params, series)[:, -1:]], axis=1)
    np.testing.assert_allclose(net.extrapolate(x, steps=5), series[:, 10:], rtol=1e-9)


def test_s1_layers_draw_from_streams_of_their_own():
    layers = [RNN(6, return_sequences=True), RNN(6, return_sequences=True), Dense(6), Dense(6)]
    net = Network(layers, n_features=6, dtype="float64")
    for name in ("W_x", "W_h"):
        assert not np.isin(net.params[f"0.{name}"], net.params[f"1.{name}"]).any()
    assert not np.isin(net.params["2.W"], net.params["3.W"]).any()
    # A number survives two layers of dropout in 1/4 of all cases; with one mask for both, in 1/2.
    twice = Network([Dropout(0.5), Dropout(0.5)], n_features=50, dtype="float64")
    y, _ = twice.forward(np.ones((50, 4, 50)), training=True)
    assert abs((y == 4).mean() - 0.25) < 0.03


def test_s1_training_scores_compare_each_output_with_its_own_target():
    net, x, y, _ = problem(rows=12)
    for batch_size in (12, 5):
        still = SGD(1e-300)  # so that the outputs of the epoch are those of one network
        history = tt.train(
            net, x, y, optimizer=still, epochs=3, batch_size=batch_size,
            metrics=["mae", "r2"], shuffle=True, verbose=False,
        )  # fmt: skip
        scores = tt.evaluate(net, x, y, metrics=["mae", "r2"])
        for name, value in scores.items():
            np.testing.assert_allclose(history[name], value, rtol=1e-12)
