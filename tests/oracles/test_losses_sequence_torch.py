"""Losses of whole sequences equal PyTorch's, value and gradient, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as everyone writes it

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
