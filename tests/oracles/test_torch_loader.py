"""A ``DataLoader`` of PyTorch, with processes too, has the bits of an array of the same order."""

from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import throughtime as tt

#: JAX says so of any fork, once another test has loaded it.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

X = np.random.default_rng(0).normal(size=(10, 6, 2)).astype("f4")
Y = np.cumsum(X[..., :1], axis=1)


class Named(torch.utils.data.Dataset):
    """Rows as dicts."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return {"x": X[i], "y": Y[i], "weight": np.float32(1 + i % 3)}


class Stream(IterableDataset):
    """Rows in their order, without a length."""

    def __iter__(self):
        return iter(zip(X, Y, strict=True))


def network():
    layers = [tt.layers.LSTM(3, return_sequences=True), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=2, seed=1)


def trained(*data, **options):
    net = network()
    history = tt.train(net, *data, epochs=2, **options)
    return net.params.flat, history["loss"]


TENSORS = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["tensors", "dicts", "stream"])
def test_a_loader_has_the_bits_of_the_array(kind, workers):
    if kind == "stream" and workers:
        pytest.skip("each process would give the whole stream")
    data = {"tensors": TENSORS, "dicts": Named(), "stream": Stream()}[kind]
    loader = DataLoader(data, batch_size=4, num_workers=workers)
    weight = 1.0 + np.arange(10) % 3 if kind == "dicts" else None
    wanted = trained(X, Y, batch_size=4, shuffle=False, sample_weight=weight)
    before = set(threading.enumerate())
    for prefetch in (0, 2):
        found = trained(batches=loader, validation=loader, prefetch=prefetch)
        np.testing.assert_array_equal(found[0], wanted[0])
        assert found[1] == wanted[1]
    assert {one.name for one in set(threading.enumerate()) - before} <= {"QueueFeederThread"}


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # since Python 3.12
@pytest.mark.parametrize("persistent", [False, True])
def test_processes_of_a_loader_are_forked_beside_the_thread_that_reads_ahead(persistent):
    loader = DataLoader(
        TENSORS, batch_size=4, num_workers=2, multiprocessing_context="fork",
        persistent_workers=persistent,
    )  # fmt: skip
    for shards in (None, 2):
        wanted = trained(X, Y, batch_size=4, shuffle=False, shards=shards)
        found = trained(batches=loader, prefetch=2, shards=shards)
        np.testing.assert_array_equal(found[0], wanted[0])
        assert found[1] == wanted[1]


def test_a_sampler_is_told_the_epoch_by_a_source_of_ours():
    sampler = torch.utils.data.DistributedSampler(TENSORS, num_replicas=1, rank=0, seed=3)

    class Told:
        loader = DataLoader(TENSORS, batch_size=4, sampler=sampler)

        def __iter__(self):
            return iter(self.loader)

        def set_epoch(self, epoch):
            sampler.set_epoch(epoch)

    first, again = trained(batches=Told()), trained(batches=Told())
    np.testing.assert_array_equal(first[0], again[0])


def test_a_tensor_that_needs_gradients_is_refused_with_its_batch():
    x = torch.from_numpy(X).requires_grad_()
    with pytest.raises(tt.errors.ThroughtimeError, match=r"^batch 1 of epoch 1: x "):
        trained(batches=[(x, torch.from_numpy(Y))])
