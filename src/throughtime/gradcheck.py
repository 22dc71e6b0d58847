r"""The gradient check: backpropagation against differences of the objective.

For a number p of the parameters, the input or the initial state, the derivative is estimated by

    D(h) = (8 [f(p+h) - f(p-h)] - [f(p+2h) - f(p-2h)]) / (12 h)           (C1)

whose error is O(h^4). The same formula along a random direction v of all numbers at once gives an
estimate of g . v: four evaluations, whatever the size of the network. All is computed in float64.
The relative error of a gradient a and its estimate n is

    |a - n| / max(|a|, |n|, g_max / 1000, 1e-6 max(1, |f|))               (C2)

with g_max the largest gradient in the same array, because differences cannot resolve a number that
is tiny beside its neighbours. If an estimate disagrees, smaller steps h are tried and the best
estimate counts, because f may have a kink (ReLU, MAE) within the first step; a wrong gradient
disagrees at all steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError, check_bool, check_float, check_int, sentence
from throughtime.kernels.underflow import ignore_underflow
from throughtime.messages import html
from throughtime.network import Network
from throughtime.network.signals import each, mapped
from throughtime.registry import translate
from throughtime.training import objective
from throughtime.training.memory import heads_of
from throughtime.training.options import OTHER_NAMES, check_network
from throughtime.training.samples import check_samples

#: The steps h of (C1), in the order in which they are tried. Near the first, the error of the
#: formula, O(h^4), and the rounding of f, O(1/h), are both below the usual tolerance; the others
#: are for kinks.
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
#: The columns of a printed report.
HEAD = ("array", "shape", "checked", "error", "at", "backpropagation", "differences")


@dataclass(frozen=True)
class GradientRow:
    """The number of one array with the largest error.

    Attributes
    ----------
    name : str
        The array: ``"0.W_x"``, ``"x"``, ``"initial_state[0]"``, or ``"direction 1"``.
    shape : tuple of int
        The shape of the array.
    checked : int
        Number of its numbers that were checked.
    error : float
        The largest relative error, (C2).
    index : tuple of int
        The index of the number with that error.
    exact, estimate : float
        Its gradient by backpropagation, and by differences.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    index: tuple[int, ...]
    exact: float
    estimate: float


@dataclass(frozen=True)
class GradientReport:
    """The result of :func:`check_gradients`; print it to see a table.

    Attributes
    ----------
    rows : tuple of GradientRow
        A row for each array, and one for each random direction.
    tolerance : float
        The largest relative error that is allowed.
    value : float
        The objective.
    """

    rows: tuple[GradientRow, ...]
    tolerance: float
    value: float

    @property
    def worst(self) -> GradientRow:
        """The row with the largest error."""
        return max(self.rows, key=lambda row: row.error)

    @property
    def ok(self) -> bool:
        """Whether every error is within the tolerance."""
        return bool(self.worst.error <= self.tolerance)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [HEAD, *self._cells()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([*table, self._verdict()])

    def _repr_html_(self) -> str:
        return html.table(HEAD, self._cells(), note=self._verdict())

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                row.name,
                "x".join(map(str, row.shape)),
                f"{row.checked}",
                f"{row.error:.1e}",
                ",".join(map(str, row.index)),
                f"{row.exact:+.8e}",
                f"{row.estimate:+.8e}",
            )
            for row in self.rows
        ]

    def _verdict(self) -> str:
        wrong = [row.name for row in self.rows if not row.error <= self.tolerance]
        verdict = f"NOT RIGHT: {', '.join(wrong)}" if wrong else "all gradients agree"
        return (
            f"{verdict}; largest relative error {self.worst.error:.1e},"
            f" allowed {self.tolerance:.0e}"
        )


@translate({**OTHER_NAMES, "tolerance": ("atol", "eps", "rtol", "tol")})
@ignore_underflow
def check_gradients(
    net: Network,
    x: Any,
    y: Any,
    loss: Any = None,
    *,
    loss_weights: Any = None,
    lengths: Any = None,
    mask: Any = None,
    initial_state: Any = None,
    sample_weight: Any = None,
    l1: float = 0.0,
    l2: float = 0.0,
    training: bool = False,
    max_numbers: int = 1000,
    directions: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradient by backpropagation with differences of the objective.

    Parameters
    ----------
    net : Network
        The network. It is not changed; a float64 copy is checked.
    x, y, lengths, mask, sample_weight, l1, l2 :
        As in :func:`throughtime.train`.
    loss, loss_weights : optional
        As in :func:`throughtime.train`; by default those that the network was trained with, or
        ``"mse"``.
    initial_state : list or dict, optional
        Initial state, as in :meth:`Network.forward`; its gradient is checked too.
    training : bool
        Whether dropout acts, with fixed random numbers.
    max_numbers : int
        Number of numbers to check one by one. Of a larger network, a random sample of each array is
        checked, and everything along the directions.
    directions : int
        Number of random directions.
    tolerance : float
        Largest relative error that is allowed.
    seed : int
        Seed for the sample, the directions and the dropout masks.

    Returns
    -------
    GradientReport
        The result: ``report.ok``, ``report.worst``, ``print(report)``.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.LSTM(3), tt.layers.Dense(1)], n_features=2)
    >>> rng = np.random.default_rng(0)
    >>> report = check_gradients(net, rng.normal(size=(4, 6, 2)), rng.normal(size=(4, 1)))
    >>> report.ok
    True
    """
    check_network(net)
    max_numbers = check_int("max_numbers", max_numbers, 1)
    directions = check_int("directions", directions, 0)
    tolerance = check_float("tolerance", tolerance, 0.0, inclusive="neither")
    l1, l2 = check_float("l1", l1, 0.0), check_float("l2", l2, 0.0)
    training, seed = check_bool("training", training), check_int("seed", seed, 0)
    own = net.astype("float64")
    heads = heads_of(net, loss, loss_weights, ())
    samples = check_samples(own, heads, x, y, lengths, mask, sample_weight)
    # The input and the states are changed and restored below: they must not be the caller's.
    inputs = mapped(np.copy, samples.x)
    states = mapped(np.copy, tuple(own.check_states(initial_state, len(samples))))

    def options() -> dict[str, Any]:
        rng = np.random.default_rng(seed) if training else None
        return {
            "mask": samples.mask, "initial_state": list(states), "sample_weight": samples.weight,
            "l1": l1, "l2": l2, "training": training, "rng": rng,
        }  # fmt: skip

    result = objective.evaluate_and_backward(own, inputs, samples.y, heads, **options())
    if not np.isfinite(result.value):
        expected = "finite to be differentiated"
        raise InvalidArgumentError(sentence("the objective", expected, result.value))

    def value() -> float:
        return objective.evaluate(own, inputs, samples.y, heads, **options()).value

    parts = [(name, own.params[name], own.grads[name]) for name in own.params]
    for label, values, slope in zip(_inputs(own), each(inputs), each(result.dx), strict=True):
        if slope is not None:  # tokens have none
            parts.append((label, values, slope))
    for i, state in enumerate(states):
        label = f"initial_state[{_key(own, i)!r}]"
        parts += _flatten(label, state, result.tape.d_initial_state[i])
    checker = _Checker(value, result.value, tolerance, np.random.default_rng(seed))
    rows = [
        checker.array(name, values, gradient, n)
        for (name, values, gradient), n in zip(parts, _shares(parts, max_numbers), strict=True)
    ]
    moved = [(values, gradient) for _, values, gradient in parts]
    rows += [checker.direction(f"direction {k + 1}", moved) for k in range(directions)]
    return GradientReport(tuple(rows), tolerance, result.value)


def _inputs(net: Network) -> list[str]:
    names = net.plan.inputs.names
    return ["x"] if len(names) == 1 else [f"x[{name!r}]" for name in names]


def _key(net: Network, i: int) -> int | str:
    """By what ``initial_state`` calls layer ``i``: its name, or its number."""
    owner = net.topology.owners[i]
    named = not net.plan.stack and not owner.isdecimal() and net.topology.find(owner) == i
    return owner if named else i


def _flatten(name: str, state: Any, gradient: Any) -> list[tuple[str, np.ndarray, np.ndarray]]:
    if state is None:
        return []
    if isinstance(state, tuple):
        return [
            item
            for k, (s, d) in enumerate(zip(state, gradient, strict=True))
            for item in _flatten(f"{name}[{k}]", s, d)
        ]
    return [(name, state, gradient)]


def _shares(parts: list[tuple[str, np.ndarray, np.ndarray]], budget: int) -> list[int]:
    """How many numbers of each array to check; small arrays are checked completely."""
    sizes = [values.size for _, values, _ in parts]
    shares = [0] * len(parts)
    left = budget
    for rank, k in enumerate(sorted(range(len(parts)), key=lambda i: sizes[i])):
        shares[k] = min(sizes[k], max(1, left // (len(parts) - rank)))
        left = max(0, left - shares[k])
    return shares


@dataclass
class _Checker:
    value: Callable[[], float]
    at: float
    tolerance: float
    rng: np.random.Generator

    def array(self, name: str, values: np.ndarray, gradient: np.ndarray, n: int) -> GradientRow:
        """Check ``n`` numbers of one array; return the row of the worst."""
        chosen = self.rng.permutation(values.size)[:n] if n < values.size else range(values.size)
        largest = float(np.abs(gradient).max(initial=0.0))
        rows = []
        for flat in chosen:
            index = tuple(int(i) for i in np.unravel_index(flat, values.shape))
            centre = float(values[index])

            def move(amount: float, index: Any = index, centre: float = centre) -> float:
                values[index] = centre + amount
                result = self.value()
                values[index] = centre
                return result

            exact = float(gradient[index])
            error, estimate = self._compare(move, exact, largest)
            rows.append(GradientRow(name, values.shape, len(chosen), error, index, exact, estimate))
        return max(rows, key=lambda row: row.error)

    def direction(self, name: str, parts: list[tuple[np.ndarray, np.ndarray]]) -> GradientRow:
        """Check the derivative along one random direction of all numbers."""
        vectors = [self.rng.normal(size=values.shape) for values, _ in parts]
        norm = np.sqrt(sum(float(np.square(v).sum()) for v in vectors))
        vectors = [v / norm for v in vectors]
        centres = [values.copy() for values, _ in parts]

        def move(amount: float) -> float:
            for (values, _), centre, v in zip(parts, centres, vectors, strict=True):
                values[...] = centre + amount * v
            result = self.value()
            for (values, _), centre in zip(parts, centres, strict=True):
                values[...] = centre
            return result

        exact = sum(float((g * v).sum()) for (_, g), v in zip(parts, vectors, strict=True))
        error, estimate = self._compare(move, exact, abs(exact))
        size = sum(v.size for v in vectors)
        return GradientRow(name, (size,), size, error, (), exact, estimate)

    def _compare(
        self, move: Callable[[float], float], exact: float, largest: float
    ) -> tuple[float, float]:
        best = (np.inf, np.nan)
        for h in STEPS:
            near, far = move(h) - move(-h), move(2 * h) - move(-2 * h)
            estimate = (8 * near - far) / (12 * h)  # (C1)
            floor = max(abs(exact), abs(estimate), largest / 1000, 1e-6 * max(1.0, abs(self.at)))
            error = abs(exact - estimate) / floor  # (C2)
            if error < best[0]:
                best = (error, estimate)
            if best[0] <= self.tolerance / 10:
                break
        return best


def __getattr__(name: str) -> Any:
    if name == "Row":
        warnings.warn(
            "throughtime.gradcheck.Row is called GradientRow; the old name goes with version 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        return GradientRow
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
