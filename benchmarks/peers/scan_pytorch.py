"""PyTorch: minGRU and linear recurrent units, as one writes them there.

PyTorch has no such layers and no scan. The recurrence is a loop whose step is one operation
(``lerp``, ``addcmul``), or a scan by doubling: h_t = A_t h_{t-1} + B_t over 1, 2, 4 ... steps.
"""

from __future__ import annotations

import torch

from benchmarks.tasks import LEARNING_RATE, Arrays, Task, time_first

#: How the recurrence runs; Adam is fused.
VARIANTS = ["loop", "doubling"]
Parameters = dict[str, torch.nn.Parameter]


def _doubling(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """All h_t from A and B (T, N, H), with h_0 = 0."""
    step = 1
    while step < len(B):
        B = torch.cat([B[:step], torch.addcmul(B[step:], A[step:], B[:-step])])
        A = torch.cat([A[:step], A[step:] * A[:-step]])
        step *= 2
    return B


def _mingru(p: Parameters, x: torch.Tensor, variant: str) -> torch.Tensor:
    z, n = torch.addmm(p["b"], x.flatten(0, 1), p["W_x"]).unflatten(0, x.shape[:2]).chunk(2, -1)
    z = z.sigmoid()
    if variant == "doubling":
        return _doubling(1 - z, z * n)
    h, found = torch.zeros_like(z[0]), []
    for z_t, n_t in zip(z.unbind(), n.unbind(), strict=True):
        h = torch.lerp(h, n_t, z_t)
        found.append(h)
    return torch.stack(found)


def _lru(p: Parameters, x: torch.Tensor, variant: str) -> torch.Tensor:
    eigenvalues = torch.exp(torch.complex(-p["nu"].exp(), p["theta"].exp()))
    a = torch.complex(*(x @ p["W_x"]).chunk(2, -1)) * p["gamma"].exp()
    if variant == "doubling":
        h = _doubling(eigenvalues.expand_as(a), a)
    else:
        state, found = torch.zeros_like(a[0]), []
        for a_t in a.unbind():
            state = torch.addcmul(a_t, eigenvalues, state)
            found.append(state)
        h = torch.stack(found)
    return torch.cat([h.real, h.imag, x], -1) @ torch.cat([p["W_y"], p["W_d"]]) + p["b_y"]


LAYERS = {"mingru": _mingru, "lru": _lru}


class Scan:
    """A training step."""

    def __init__(self, task: Task, variant: str) -> None:
        self.layer, self.variant = LAYERS[task.cell], variant
        self.p = {n: torch.nn.Parameter(torch.tensor(a)) for n, a in task.weights.items()}
        self.x, self.target = (torch.from_numpy(time_first(a)) for a in (task.x, task.target))
        self.adam = torch.optim.Adam(self.p.values(), LEARNING_RATE, fused=True)

    def run(self, repeats: int) -> None:
        """Take ``repeats`` steps."""
        for _ in range(repeats):
            self._step()

    def _step(self) -> float:
        self.adam.zero_grad(set_to_none=True)
        y = self.layer(self.p, self.x, self.variant)
        loss = torch.nn.functional.mse_loss(y, self.target)
        loss.backward()
        self.adam.step()
        return loss.item()

    def answers(self) -> Arrays:
        """Loss of one step and the parameters after it."""
        loss = torch.tensor(self._step()).numpy()
        return {"loss": loss} | {n: p.detach().numpy().copy() for n, p in self.p.items()}
