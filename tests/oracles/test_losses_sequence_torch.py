"""Losses of whole sequences equal PyTorch's, value and gradient, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as everyone writes it

import throughtime as tt
from throughtime.losses import CTC

N, T, K = 6, 40, 7


def ctc_data(seed, blank):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, T + 1, size=N)
    names = [k for k in range(K) if k != blank]
    labels = [rng.choice(names, size=n) for n in (0, 1, 3, 8, 10, 10)]
    return 2.0 * rng.normal(size=(N, T, K)), labels, lengths


@pytest.mark.parametrize("blank", [0, 3, K - 1])
@pytest.mark.parametrize("logits", [False, True])
def test_ctc(blank, logits):
    z, labels, lengths = ctc_data(blank, blank)
    weights = np.linspace(0.5, 2.0, N)
    given = torch.tensor(z, requires_grad=True)
    log_p = torch.log_softmax(given, dim=-1)
    probabilities = log_p.exp().detach().requires_grad_()
    each = F.ctc_loss(
        (log_p if logits else probabilities.log()).transpose(0, 1),
        torch.tensor(np.concatenate(labels)),
        torch.tensor(lengths),
        torch.tensor([len(one) for one in labels]),
        blank=blank,
        reduction="none",
    )
    (torch.tensor(weights) @ each).backward()
    loss = CTC(blank=blank, reduction="sum")
    mask = np.arange(T) < lengths[:, None]
    if logits:
        value, dy = loss.from_logits(z, labels, mask, weights)
        expected = given.grad.numpy()
    else:
        value, dy = loss(probabilities.detach().numpy(), labels, mask, weights)
        # PyTorch's gradient of log p is softmax(log p) - shares: it takes log p to be a softmax.
        expected = probabilities.grad.numpy() - 1.0 * mask[..., None] * weights[:, None, None]
    assert value == pytest.approx(weights @ each.detach().numpy(), rel=1e-12)
    np.testing.assert_allclose(dy, expected, rtol=1e-10, atol=1e-10)


def test_ctc_of_targets_that_do_not_fit():
    z, labels, lengths = ctc_data(1, 0)
    labels[2] = np.ones(30, int)
    given = torch.tensor(z, requires_grad=True)
    F.ctc_loss(
        torch.log_softmax(given, dim=-1).transpose(0, 1),
        torch.tensor(np.concatenate(labels)),
        torch.tensor(lengths),
        torch.tensor([len(one) for one in labels]),
        reduction="sum",
        zero_infinity=True,
    ).backward()
    mask = np.arange(T) < lengths[:, None]
    _, dz = CTC(reduction="sum", zero_infinity=True).from_logits(z, labels, mask)
    np.testing.assert_allclose(dz, given.grad.numpy(), rtol=1e-10, atol=1e-10)


def crf_by_torch(scores, W, start, end, tags, mask):
    """-log of the probability of the tags of each sequence, in tensors, one step at a time."""
    found = []
    for own, y, real in zip(scores, tags, mask, strict=True):
        x, y = own[real], y[real]
        a, s = x[0] + start, x[0, y[0]] + start[y[0]]
        for t in range(1, len(y)):
            a = torch.logsumexp(a[:, None] + W, dim=0) + x[t]
            s = s + W[y[t - 1], y[t]] + x[t, y[t]]
        found.append(torch.logsumexp(a + end, dim=0) - s - end[y[-1]])
    return torch.stack(found)


@pytest.mark.parametrize("holes", [False, True])
def test_crf(holes):
    rng = np.random.default_rng(0)
    net = tt.Network([tt.layers.CRF()], n_features=K, dtype="float64")
    net.params.flat = rng.normal(size=net.params.size)
    x, tags = 2.0 * rng.normal(size=(N, T, K)), rng.integers(0, K, size=(N, T))
    mask = np.arange(T) < rng.integers(5, T + 1, size=N)[:, None]
    if holes:
        mask &= rng.random((N, T)) < 0.7
    weights = np.linspace(0.5, 2.0, N)
    given = [
        torch.tensor(array, requires_grad=True)
        for array in (x, net.params["0.W"], net.params["0.start"], net.params["0.end"])
    ]
    each = crf_by_torch(*given, torch.tensor(tags), torch.tensor(mask))
    (torch.tensor(weights) @ each).backward()
    y, tape = net.forward(x, mask=mask)
    value, dy = tt.losses.CRF(reduction="sum")(y, tags, mask, weights)
    dx = net.backward(tape, dy)
    assert value == pytest.approx(weights @ each.detach().numpy(), rel=1e-12)
    found = [dx, *(net.grads[name] for name in net.params)]
    for ours, theirs in zip(found, given, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-10, atol=1e-10)
