"""Which steps count, and how much, in whatever form the data are given."""

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, Dense, LastStep
from throughtime.optimizers import SGD
from throughtime.training import train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 6, 2))


def test_frozen_layers_do_not_count_in_the_norm():
    layers = [GRU(4, lr_multiplier=0.0), Dense(1)]
    whole = tt.Network(layers, n_features=2, dtype="float64")
    whole.params["0.W_x"] *= 30.0  # a gradient that would use up the norm
    last = tt.Network([LastStep(), Dense(1)], n_features=4, dtype="float64")
    for name in ("W", "b"):
        last.params[f"1.{name}"] = whole.params[f"1.{name}"]
    hidden = tt.Network([GRU(4, return_sequences=True)], n_features=2, dtype="float64")
    hidden.params.flat[...] = whole.params.flat[: hidden.params.size]
    y = RNG.normal(size=(10, 1))
    options = {"clip_norm": 1e-3, "optimizer": SGD(0.5), "epochs": 3}
    first = train(whole, X, y, **options)
    second = train(last, hidden.predict(X), y, **options)
    for name in ("W", "b"):
        np.testing.assert_allclose(whole.params[f"1.{name}"], last.params[f"1.{name}"], rtol=1e-9)
    np.testing.assert_allclose(first["grad_norm"], second["grad_norm"], rtol=1e-9)
