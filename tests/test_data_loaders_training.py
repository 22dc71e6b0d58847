"""Networks that are trained from disk: the bits of the same sequences in memory."""

import numpy as np
import pandas as pd
import pytest

import throughtime as tt
from throughtime.errors import DataError


def network():
    layers = [tt.layers.GRU(4, dropout=0.1), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=2, seed=0)


def trained(**options):
    net = network()
    history = tt.train(net, loss="mse", **({"epochs": 2, "verbose": False, "seed": 1} | options))
    return net.params.flat.tobytes(), history


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 7, 50)
    np.save(tmp_path / "x.npy", rng.normal(size=(50, 6, 2)).astype("float32"))
    np.save(tmp_path / "y.npy", rng.normal(size=50).astype("float32"))
    np.save(tmp_path / "lengths.npy", lengths)
    return tmp_path


def arrays(folder):
    return [np.load(folder / f"{name}.npy") for name in ("x", "y", "lengths")]


def as_table(folder):
    """The same sequences as a long table."""
    x, y, lengths = arrays(folder)
    rows = [(k, t, *x[k, t], y[k]) for k in range(50) for t in range(lengths[k])]
    path = folder / "table.parquet"
    pd.DataFrame(rows, columns=["id", "t", "a", "b", "y"]).to_parquet(path, row_group_size=30)
    return path


def test_the_same_bits_as_from_memory(folder):
    x, y, lengths = arrays(folder)
    expected, _ = trained(x=x, y=y, lengths=lengths, batch_size=8, shuffle=False)
    options = {"batch_size": 8, "shuffle": False}
    assert trained(batches=tt.data.from_npy(folder, block_size=3, **options))[0] == expected
    table = tt.data.from_parquet(as_table(folder), id="id", time="t", target="y", **options)
    assert trained(batches=table)[0] == expected


def test_arrays_and_tables_are_shuffled_alike_in_one_pool(folder):
    one = tt.data.from_npy(folder, seed=4, block_size=50)
    other = tt.data.from_parquet(as_table(folder), id="id", target="y", features=["a", "b"], seed=4)
    other._store.edges = one._store.edges  # one block
    other._store.block_bytes = one._store.block_bytes
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a["y"], b["y"])


def test_validation_and_metrics(folder):
    train, validation = tt.data.from_npy(folder, batch_size=8).split(0.2)
    _, history = trained(batches=train, validation=validation, metrics=["mae"])
    y = np.concatenate([batch["y"] for batch in validation])
    assert len(y) == 10
    assert len(history.epochs) == 2
    assert np.isfinite(history["val_mae"]).all()


def test_a_resumed_run_has_the_same_bits(folder, tmp_path):
    options = {"batches": tt.data.from_npy(folder, batch_size=8, block_size=3, buffer_size=12)}
    expected, _ = trained(epochs=4, **options)
    options["checkpoint"] = tmp_path / "run.ckpt"
    trained(epochs=2, **options)
    options["batches"] = tt.data.from_npy(folder, batch_size=8, block_size=3, buffer_size=12)
    assert trained(epochs=4, resume=True, **options)[0] == expected


def test_a_file_that_goes_away_while_it_is_read(folder):
    loader = tt.data.from_npy(folder, batch_size=8, block_size=3, buffer_size=12)
    (folder / "y.npy").unlink()
    with pytest.raises(DataError, match=r"y\.npy must be readable; got No such file") as caught:
        trained(batches=loader)
    assert "batch 1 of epoch 1" in "".join(caught.value.__notes__)


def test_numbers_that_no_network_takes_are_named_with_their_batch(folder):
    x = np.load(folder / "x.npy")
    x[20, 0, 1] = np.nan
    np.save(folder / "x.npy", x)
    loader = tt.data.from_npy(folder, batch_size=8, shuffle=False)
    with pytest.raises(DataError, match=r"^batch 3 of epoch 1: x must be finite; got nan"):
        trained(batches=loader)


def test_states_go_on_from_batch_to_batch(folder):
    x, y, _ = arrays(folder)
    reset = np.arange(50) % 7 == 0
    np.save(folder / "reset.npy", reset)
    (folder / "lengths.npy").unlink()
    options = {"carry_state": True, "batch_size": 10}
    expected, _ = trained(x=x, y=y, reset=reset, **options)
    loader = tt.data.from_npy(folder, batch_size=10, shuffle=False)
    assert trained(batches=loader, carry_state=True)[0] == expected
    (folder / "reset.npy").unlink()
    loader = tt.data.from_npy(folder, batch_size=10, shuffle=False)
    assert trained(batches=loader, carry_state=True)[0] != expected
