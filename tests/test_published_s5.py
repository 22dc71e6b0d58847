"""S5, the recurrent layer of EpyNN and the library around it: its errors are absent here."""

import os
import pickle

import numpy as np
from published_oracle import assert_exact, complex_steps, gradients, outputs, softmax

import throughtime as tt
from throughtime.activations import Softmax, Tanh
from throughtime.data import minibatches, tasks
from throughtime.errors import ModelFileError
from throughtime.layers import RNN, Dense, Dropout
from throughtime.network import Network
from throughtime.optimizers import SGD
from throughtime.training.clipping import clip_norm, clip_value


def problem(rows=4, steps=5, seed=0):
    rng = np.random.default_rng(seed)
    net = Network([RNN(4, return_sequences=True), Dense(2)], n_features=3, dtype="float64")
    net.params.flat = rng.normal(size=net.params.size) / 2
    return net, rng.normal(size=(rows, steps, 3)), rng.normal(size=(rows, steps, 2))


def test_s5_dropout_is_off_in_prediction():
    net, x, y = problem()
    plain = outputs(net.params, x)
    layers = [RNN(4, return_sequences=True, dropout=0.5, recurrent_dropout=0.5), Dense(2),
              Dropout(0.5)]  # fmt: skip
    dropping = Network(layers, n_features=3, dtype="float64")
    dropping.params.flat = net.params.flat
    for found in (dropping.predict(x), dropping.predict(x, batch_size=1), dropping.forward(x)[0]):
        np.testing.assert_allclose(found, plain, rtol=1e-12)
    scores = tt.evaluate(dropping, x, y)
    np.testing.assert_allclose(scores["loss"], ((plain - y) ** 2).mean(), rtol=1e-12)
    assert (dropping.forward(x, training=True)[0] == 0).any()


def test_s5_softmax_derivative_has_one_over_temperature():
    rng = np.random.default_rng(0)
    z, dy = rng.normal(size=(2, 6, 4))
    x, target = rng.normal(size=(2, 5, 3)), np.eye(4)[rng.integers(4, size=(2, 5))]
    for temperature in (0.3, 1.0, 7.0):
        f = Softmax(temperature)
        exact = complex_steps(lambda p, T=temperature: (dy * softmax(p["z"], T)).sum(), {"z": z})
        assert_exact({"z": f.backward(dy, f(z), z)}, exact)
        # Also with a cross-entropy that is fused with the softmax.
        layers = [RNN(3, return_sequences=True), Dense(4, activation=f)]
        net = Network(layers, n_features=3, dtype="float64")
        exact = complex_steps(
            lambda p, T=temperature: -(target * np.log(softmax(outputs(p, x), T))).sum() / 10,
            net.params,
        )
        assert_exact(gradients(net, x, target, "cce"), exact)


def test_s5_tanh_of_800_is_1():
    f, net = Tanh(), Network([RNN(2, return_sequences=True)], n_features=1)
    for dtype in ("float32", "float64"):
        z = np.array([800.0, -800.0, 1e30, -1e30, np.finfo(dtype).max, 0.0], dtype)
        with np.errstate(all="ignore"):  # a wrong result must be a number, not a warning
            y = f(z)
            slope = f.backward(np.ones_like(z), y, z)
        assert y.tolist() == [1.0, -1.0, 1.0, -1.0, 1.0, 0.0]
        assert slope.tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    net.params.flat = 1.0
    with np.errstate(all="ignore"):
        y, tape = net.forward(np.full((1, 3, 1), 800.0))
        dx = net.backward(tape, np.ones_like(y))
    assert (y == 1).all()
    assert (dx == 0).all()


def test_s5_seed_0_is_a_seed():
    def made(seed):
        net = Network([RNN(4, dropout=0.3), Dense(2)], n_features=3, seed=seed)
        start = net.params.flat.copy()
        data = np.random.default_rng(9)
        x, y = data.normal(size=(16, 5, 3)), data.normal(size=(16, 2))
        # The same weights, so only the order of batches and dropout may differ.
        net.params.flat = 0.1
        tt.train(net, x, y, epochs=1, batch_size=2, seed=seed, verbose=False)
        task = tasks.noisy_sine(seed=seed)
        return start, net.params.flat.copy(), task.y

    for first, again, other in zip(made(0), made(0), made(1), strict=True):
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_s5_step_does_not_depend_on_the_batch_size():
    net, x, y = problem(rows=2)
    exact = complex_steps(lambda p: ((outputs(p, x) - y) ** 2).mean(), net.params)
    before = net.params.copy()
    wanted = {name: before[name] - 0.1 * exact[name] for name in exact}
    for times in (1, 3, 50):
        net.params.flat = before.flat
        rows = np.repeat(x, times, axis=0), np.repeat(y, times, axis=0)
        tt.train(net, *rows, optimizer=SGD(0.1), epochs=1, batch_size=None, verbose=False)
        assert_exact(net.params, wanted)


def test_s5_last_partial_batch_is_used():
    for n, size, sizes in ((10, 4, [4, 4, 2]), (10, 5, [5, 5]), (3, 8, [3]), (9, 8, [8, 1])):
        batches = list(minibatches(n, size, np.random.default_rng(0)))
        assert [len(batch) for batch in batches] == sizes
        assert sorted(np.concatenate(batches)) == list(range(n))
    # Eleven sequences without error, and one with an error at the end.
    net, x, y = problem(rows=11)
    y = outputs(net.params, x)
    y[-1] += 1.0
    before, sgd = net.params.copy(), SGD(1e-3)
    options = {"optimizer": sgd, "epochs": 1, "batch_size": 5, "shuffle": False}
    history = tt.train(net, x, y, **options, verbose=False)
    assert sgd.steps == 3
    assert np.abs(net.params.flat - before.flat).max() > 1e-5
    assert history["loss"][0] > 0.01


class Malicious:
    """Unpickled, it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_s5_model_files_are_no_pickles(tmp_path):
    path, trace = tmp_path / "model.safetensors", tmp_path / "executed"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(Malicious(str(trace)), protocol))
        refused = None
        try:
            tt.load(path)
        except Exception as error:  # of any kind: the test asks first what was executed
            refused = error
        assert not trace.exists()
        assert isinstance(refused, ModelFileError)
    net, x, _ = problem()
    net.save(path)
    # A length, then JSON, then numbers.
    assert path.read_bytes()[8:].startswith(b'{"__metadata__":')
    np.testing.assert_array_equal(tt.load(path).predict(x), net.predict(x))


def test_s5_clipping_does_not_help_a_gradient_that_vanishes():
    """A gradient is multiplied by W_h at every step back: 0.5 vanishes, 2 explodes."""

    def through(factor, steps=60):
        layer = RNN(2, activation="identity", return_sequences=True)
        net = Network([layer], n_features=1, dtype="float64")
        net.params["0.W_h"] = factor * np.eye(2)
        _, tape = net.forward(np.ones((1, steps, 1)))
        dx = net.backward(tape, np.zeros((1, steps, 2)), [(np.array([[1.0, 0.0]]),)])
        return dx[0, :, 0] / net.params["0.W_x"][0, 0]

    faint, fierce = through(0.5), through(2.0)
    np.testing.assert_allclose(faint, 0.5 ** np.arange(59, -1, -1), rtol=1e-12)
    np.testing.assert_allclose(fierce, 2.0 ** np.arange(59, -1, -1), rtol=1e-12)
    for clip in (clip_norm, clip_value):
        # The vanishing gradients of early steps stay the same, to the last bit.
        kept = faint[:50].copy()
        clip(kept, 1.0)
        np.testing.assert_array_equal(kept, faint[:50])
        assert kept.max() < 1e-2
        # Clipping limits gradients that explode.
        cut = fierce.copy()
        clip(cut, 1.0)
        assert np.linalg.norm(cut) <= np.sqrt(60)
        # If the gradient of a late step is clipped, that of an early step gains nothing.
        both = np.array([faint[0], 10.0])
        clip(both, 1.0)
        assert both[1] <= 1.0
        assert both[0] <= faint[0]
    # A network with 60 steps of memory learns the same bits with clipping and without it.
    rng, learned = np.random.default_rng(0), []
    x, y = rng.normal(size=(4, 60, 1)), rng.normal(size=(4, 1))
    for options in ({}, {"clip_norm": 5.0}, {"clip_value": 5.0}):
        net = Network([RNN(2), Dense(1)], n_features=1, dtype="float64")
        net.params["0.W_h"] = 0.5 * np.eye(2)
        history = tt.train(net, x, y, optimizer=SGD(0.1), epochs=2, verbose=False, **options)
        learned.append(net.params.flat)
        assert 0 < max(history["grad_norm"]) < 5
    np.testing.assert_array_equal(learned[1:], [learned[0]] * 2)
