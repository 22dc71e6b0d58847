"""S4, a notebook that predicts a sine from windows of four values: its errors are absent here."""

import numpy as np
from published_oracle import assert_exact, complex_steps, it_runs, outputs

import throughtime as tt
from throughtime.data import tasks
from throughtime.forecasting import Forecaster
from throughtime.initializers import Uniform
from throughtime.layers import RNN, Dense
from throughtime.losses import HalfMSE
from throughtime.network import Network
from throughtime.optimizers import SGD
from throughtime.training import EarlyStopping


def notebook(units=50, seed=0):
    """Its network: no biases, uniform weights, one output after the last step."""
    layers = [
        RNN(units, use_bias=False, initializer=Uniform(0.0, 0.2),
            recurrent_initializer=Uniform(0.0, 0.2)),
        Dense(1, use_bias=False, initializer=Uniform(0.0, 0.2)),
    ]  # fmt: skip
    return Network(layers, n_features=1, dtype="float64", seed=seed)


def chain(T, H, **options):
    """A network, and a function that returns its dh_T/dh_0 (H, H) and its h_1 ... h_T (T, H).

    Every row of the batch backpropagates from one unit of h_T.
    """
    net = Network([RNN(H, return_sequences=True, **options)], n_features=1, dtype="float64")
    rng = np.random.default_rng(0)
    net.params.flat = rng.normal(size=net.params.size)
    x = np.repeat(rng.normal(size=(1, T, 1)), H, axis=0)

    def jacobian():
        y, tape = net.forward(x)
        net.backward(tape, np.zeros_like(y), [(np.eye(H),)])
        return tape.d_initial_state[0][0].T, y[0]

    return net, jacobian


def test_s4_the_experiment_runs():
    train, late = tasks.sine_windows("train"), tasks.sine_windows("validation")
    with it_runs():
        history = tt.train(
            notebook(), train.x, train.y, loss=HalfMSE(reduction="sum"), optimizer=SGD(5e-5),
            epochs=8, batch_size=1, tbptt=(3, 3), clip_value=1.0, validation=(late.x, late.y),
            callbacks=[EarlyStopping(patience=5)], verbose=False,
        )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert max(history["grad_norm"]) > 1.0  # so clipping took effect


def test_s4_weights_are_decreased_by_the_step_not_overwritten_with_it():
    rng = np.random.default_rng(0)
    layers = [RNN(4, use_bias=False, return_sequences=True), Dense(1, use_bias=False)]
    net = Network(layers, n_features=1, dtype="float64")
    x, y = rng.normal(size=(2, 3, 5, 1))
    exact = complex_steps(lambda p: ((outputs(p, x) - y) ** 2).mean(), net.params)
    before, loss = net.params.copy(), tt.evaluate(net, x, y)["loss"]
    tt.train(net, x, y, optimizer=SGD(1e-3), epochs=1, batch_size=None, verbose=False)
    assert_exact(net.params, {name: before[name] - 1e-3 * exact[name] for name in exact})
    steepness = sum(float((g**2).sum()) for g in exact.values())
    fall = loss - tt.evaluate(net, x, y)["loss"]
    np.testing.assert_allclose(fall, 1e-3 * steepness, rtol=0.01)


def test_s4_jacobian_chain_has_w_h_in_every_link():
    net, jacobian = chain(T=4, H=3)
    found, h = jacobian()
    wanted = np.eye(3)
    for t in range(4):
        wanted = wanted @ (net.params["0.W_h"] * (1 - h[t] ** 2))  # dh_t/dh_{t-1}
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_s4_jacobian_chain_is_a_matrix_product_not_an_elementwise_one():
    net, jacobian = chain(T=10, H=2, activation="identity")
    net.params["0.W_h"] = [[1.0, 1.0], [1.0, 0.0]]
    found, _ = jacobian()
    # The tenth power of this matrix holds Fibonacci numbers; elementwise it would stay as it is.
    np.testing.assert_array_equal(found, [[89.0, 55.0], [55.0, 34.0]])


def test_s4_what_the_trivial_answer_scores_is_said():
    for part in ("train", "validation"):
        task = tasks.sine_windows(part)
        half = float(((task.y - task.x[:, -1]) ** 2).mean()) / 2
        np.testing.assert_allclose(task.baseline, half, rtol=1e-12)
        # Thousands of times better than the notebook's 0.0052 and 0.0054.
        assert task.baseline < 0.0052 / 4000
    y = 10 + np.sin(np.arange(40.0) / 3)
    report = Forecaster(4, season=None, network="never").backtest(y)
    scores = {score.method: score for score in report.scores}
    assert scores.keys() > {"forecast", "persistence", "drift"}
    for method, guess in (
        ("persistence", y[-5]),
        ("drift", y[-5] + (y[-5] - y[0]) / 35 * np.arange(1, 5)),
    ):
        np.testing.assert_allclose(scores[method].mae, np.abs(guess - y[-4:]).mean(), rtol=1e-9)
        assert any(method in sentence for sentence in report.verdict)
