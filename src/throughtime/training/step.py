"""One update of the weights: forward, backward, clip, step. ``tt.TrainStep`` is it in public."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Protocol

import numpy as np

from throughtime.errors import DivergedError, check_int
from throughtime.kernels.underflow import ignore_underflow
from throughtime.network import Network
from throughtime.network.inputs import check_no_batch
from throughtime.network.signals import each
from throughtime.registry import Words, translate
from throughtime.training import objective, truncation
from throughtime.training.clipping import clip_norm, clip_value, global_norm
from throughtime.training.divergence import (
    Origin,
    advice,
    backward_origin,
    forward_origin,
    update_origin,
)
from throughtime.training.objective import Evaluation
from throughtime.training.options import OTHER_NAMES, StepOptions, check_network, check_options
from throughtime.training.parts import (
    Found,
    Node,
    compute_parts,
    part_rng,
    run_part,
    shares,
    total,
)
from throughtime.training.samples import Samples, check_samples

#: First word of the seed for dropout; see :mod:`throughtime.training.loop`.
DROPOUT = 3


class Update(NamedTuple):
    """One update: of a whole batch, or of a chunk of its time steps.

    Attributes
    ----------
    found : sequence of Evaluation or Found
        What each part gave.
    penalty : float
    norm : float or None
        The norm of the gradient before clipping; None if there was nothing to learn from, so that
        the weights did not move.
    lr : float
        The learning rate.
    """

    found: Sequence[Evaluation | Found]
    penalty: float
    norm: float | None
    lr: float

    @property
    def final_states(self) -> list[list[Any]]:
        """The states at the end of each part."""
        return [one.final_state for one in self.found]


class Diverged(Exception):  # noqa: N818  # it never leaves the package
    """An update that stopped being finite: where it began, and in which part of the batch."""

    def __init__(self, origin: Origin, part: Samples) -> None:
        self.origin, self.part = origin, part


class Elsewhere(Protocol):
    """Computes the parts of a batch, wherever."""

    def __call__(
        self,
        parts: list[Samples],
        rows: Sequence[np.ndarray | None],
        factors: list[tuple[float, ...]],
        seeds: tuple[int, ...],
    ) -> tuple[list[Found], list[Node]]:
        """What each part gives, and the sums of their gradients, in their order."""


@dataclass(frozen=True)
class StepResult:
    """What one update was made from.

    Attributes
    ----------
    loss : float
        The loss of the batch before the update, without penalties.
    penalty : float
        The penalties on the weights.
    grad_norm : float
        The norm of the gradient before clipping; 0 if no step of the batch counts.
    lr : float
        The learning rate of the update.
    y : ndarray, or a dict or list of them
        The outputs before the update, with dropout.
    final_state : list
        The states at the end of the batch, which ``initial_state`` of the next call takes.
    """

    loss: float
    penalty: float
    grad_norm: float
    lr: float
    y: Any
    final_state: list[Any]

    def __repr__(self) -> str:
        penalty = f", penalty={self.penalty:.6g}" if self.penalty else ""
        return (
            f"StepResult(loss={self.loss:.6g}{penalty}, grad_norm={self.grad_norm:.6g},"
            f" lr={self.lr:.6g})"
        )


#: What other libraries call the arguments of a step, and those of ``train`` that it has not.
OF_STEP: Words = {
    **OTHER_NAMES,
    "initial_state, zero in the rows that begin anew": ("carry_state", "reset", "stateful"),
    "loss= of tt.TrainStep": ("criterion", "loss", "loss_fn"),
    "tt.TrainStep(net, optimizer, loss) once, before the loop": ("net", "optimizer"),
}


@translate(OTHER_NAMES)
class TrainStep:
    """One update of a network's weights, for training loops of one's own.

    :func:`throughtime.train` makes its updates with it. The optimiser is kept as it is: it is not
    reset, and its moments live on from call to call.

    Parameters
    ----------
    net : Network
        The network, whose parameters change in place.
    optimizer, loss, loss_weights, clip_norm, clip_value, l1, l2 :
        As in :func:`throughtime.train`.
    seed : int
        Seed for dropout.

    Attributes
    ----------
    net : Network
    optimizer : Optimizer
    epoch, batch : int
        Numbers of the epoch and of the last update in it. Dropout is drawn from them: a loop that
        calls :meth:`begin_epoch` has the bits of ``train``.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError, DataError
        If an argument does not fit; the message says which, and what would.

    Examples
    --------
    >>> import numpy as np
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.GRU(8), tt.layers.Dense(1)], n_features=2)
    >>> step = tt.TrainStep(net, tt.optimizers.Adam(0.01), "mse")
    >>> x = np.random.default_rng(0).normal(size=(16, 5, 2))
    >>> y = x.sum(axis=1)[:, :1]
    >>> losses = [step(x, y).loss for _ in range(60)]
    >>> losses[-1] < 0.5 * losses[0]
    True
    """

    def __init__(
        self,
        net: Network,
        optimizer: Any = "adam",
        loss: Any = "mse",
        *,
        loss_weights: Any = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        seed: int = 0,
    ) -> None:
        arguments = {**locals(), "metrics": (), "tbptt": None}
        self._prepare(net, check_options(check_network(net), arguments, StepOptions))

    @classmethod
    def of(
        cls, net: Network, options: StepOptions, elsewhere: Elsewhere | None = None
    ) -> TrainStep:
        """The step of a run whose options are checked; ``elsewhere`` computes parts of batches."""
        step = cls.__new__(cls)
        step._prepare(net, options, elsewhere)
        return step

    def _prepare(
        self, net: Network, options: StepOptions, elsewhere: Elsewhere | None = None
    ) -> None:
        self.net, self.optimizer = net, options.optimizer
        self.epoch, self.batch = 1, 0
        self._options, self._elsewhere = options, elsewhere
        self._heed_frozen()
        self._decay_mask = net.weight_mask()
        self._scored = any(head.metrics for head in options.heads)
        #: The last weights with a finite loss and a finite gradient.
        self.good = net.params.flat.copy()

    def _heed_frozen(self) -> None:
        """Read which parameters move, and how fast."""
        self._known = self.net.frozen
        self._multiplier = self.net.lr_multipliers()
        self._frozen = None if self._multiplier is None else self._multiplier == 0

    def begin_epoch(self, epoch: int) -> None:
        """Set the number of the epoch that begins, from 1; schedules and dropout go by it."""
        self.epoch, self.batch = check_int("epoch", epoch, 1), 0
        self.optimizer.begin_epoch(self.epoch - 1)

    def __repr__(self) -> str:
        losses = ", ".join(head.loss.name for head in self._options.heads)
        return (
            f"<TrainStep of {self.net!r}; {self.optimizer!r}, loss {losses};"
            f" step {self.batch} of epoch {self.epoch}>"
        )

    @translate(OF_STEP, "step")
    @ignore_underflow
    def __call__(
        self,
        x: Any,
        y: Any,
        *,
        lengths: Any = None,
        mask: Any = None,
        sample_weight: Any = None,
        initial_state: Any = None,
    ) -> StepResult:
        """Make one update from one batch.

        Parameters
        ----------
        x, y, lengths, mask, sample_weight :
            The batch, as in :func:`throughtime.train`.
        initial_state : list or dict, optional
            As in :meth:`Network.forward`; ``final_state`` of the last result goes on where the
            batch before ended.

        Returns
        -------
        StepResult

        Raises
        ------
        ShapeError, DataError, InvalidArgumentError, InvalidTypeError
            If the batch does not fit; the weights are then as before.
        DivergedError
            If the loss, the gradient or a weight becomes infinite or NaN. The last weights with a
            finite loss are restored; the optimiser is reset if one of its moments overflowed.
        """
        if self.net.frozen != self._known:
            self._heed_frozen()
        heads = self._options.heads
        check_no_batch(
            self.net.plan.inputs.names, x, "step(**batch)", "[step(**batch) for batch in loader]"
        )
        whole = check_samples(
            self.net, heads, x, y, lengths, mask, sample_weight, initial_state, empty=True
        )
        part = whole.batch(slice(None))  # as train does, so that dropout draws for as many steps
        self.batch += 1
        try:
            with np.errstate(all="ignore"):
                (update,) = self.updates([part])
        except Diverged as error:
            self.net.params.flat[...] = self.good
            back = "the last weights with a finite loss are restored"
            if not all(np.isfinite(one).all() for one in self.optimizer.moments.values()):
                # An infinite mean square would stop its weights for good, without a word.
                self.optimizer.reset()
                self.optimizer.begin_epoch(self.epoch - 1)
                back += ", and the optimizer is reset"
            self.explain(error, f"in step {self.batch}", back)
        evaluation = update.found[0]
        loss = sum(h.weight * t.value for h, t in zip(heads, evaluation.terms, strict=True))
        shapes = self.net.topology.output_shapes(whole.shapes)
        found = zip(each(evaluation.y), shapes, strict=True)
        y = self.net.plan.outputs.gather([_with_steps(one, shape) for one, shape in found])
        norm = 0.0 if update.norm is None else update.norm
        return StepResult(loss, update.penalty, norm, update.lr, y, evaluation.final_state)

    def explain(self, error: Diverged, place: str, back: str) -> NoReturn:
        """Say where the divergence began, what the network holds now, and what to try."""
        options = self._options
        clipped = options.clip_norm is not None or options.clip_value is not None
        ways = advice(self.net, error.part.x, self.optimizer.current_lr, clipped)
        raise DivergedError(f"training diverged {place}: {error.origin}; {back}. {ways}") from None

    # -- updates ------------------------------------------------------------------------------

    def updates(
        self, parts: list[Samples], rows: Sequence[np.ndarray | None] = ()
    ) -> Iterator[Update]:
        """Make the updates of one batch, in its parts; yield each :class:`Update`.

        There is one, or with ``tbptt`` one for each chunk of time. The caller ignores warnings.
        ``rows`` are the numbers of the sequences of each part.
        """
        if self._options.tbptt is not None:
            return self._in_chunks(parts[0])
        if len(parts) == 1 and self._elsewhere is None:
            return iter((self._whole(parts[0]),))
        return iter((self._summed(parts, rows),))

    def _whole(self, part: Samples) -> Update:
        """The update of a batch in one part."""
        options = self._options
        self.net.grads.flat[...] = 0
        evaluation = objective.evaluate_and_backward(
            self.net, part.x, part.y, options.heads, mask=part.mask, initial_state=part.states,
            sample_weight=part.weight, l1=options.l1, l2=options.l2, training=True,
            rng=self._rng(), input_gradient=False,
        )  # fmt: skip
        return self._after(evaluation, part)

    def _in_chunks(self, part: Samples) -> Iterator[Update]:
        """The updates of a batch that is cut into chunks of time."""
        options = self._options
        assert options.tbptt is not None
        self.net.grads.flat[...] = 0
        for evaluation in truncation.truncated(
            self.net, part.x, part.y, options.heads, options.tbptt, mask=part.mask,
            initial_state=part.states, sample_weight=part.weight, l1=options.l1, l2=options.l2,
            training=True, rng=self._rng(),
        ):  # fmt: skip
            yield self._after(evaluation, part)
            self.net.grads.flat[...] = 0

    def _after(self, evaluation: Evaluation, part: Samples) -> Update:
        """The update whose gradient is in ``net.grads``."""
        lr = self.optimizer.current_lr
        # A chunk without an unmasked step must not move the weights, not even by momentum.
        if not evaluation.weight > 0:
            return Update((evaluation,), evaluation.penalty, None, lr)
        if not math.isfinite(evaluation.penalty):
            raise Diverged(Origin("the penalty on the weights overflowed"), part)
        if not math.isfinite(evaluation.value):
            raise Diverged(forward_origin(self.net, evaluation), part)
        norm = self._clip()
        if not math.isfinite(norm):  # clipping has then left the gradient as it was
            raise Diverged(backward_origin(self.net, evaluation), part)
        self._move(norm, part)
        return Update((evaluation,), evaluation.penalty, norm, lr)

    def _summed(self, parts: list[Samples], rows: Sequence[np.ndarray | None]) -> Update:
        """The update of a batch in several parts, or of one that is computed elsewhere."""
        options, net, lr = self._options, self.net, self.optimizer.current_lr
        factors, empty = shares(net, options.heads, parts)
        seeds = (DROPOUT, options.seed, self.epoch, self.batch)
        if self._elsewhere is None:
            found, nodes = compute_parts(
                net, options.heads, parts, factors, seeds, (0, len(parts)), outputs=self._scored
            )
        else:
            found, nodes = self._elsewhere(parts, rows, factors, seeds)
        if empty:
            return Update(found, 0.0, None, lr)
        penalty = 0.0
        net.grads.flat[...] = total(nodes)
        if options.l1 or options.l2 or net.topology.penalised:
            penalty = objective.penalise(net, options.l1, options.l2)
        if not math.isfinite(penalty):
            raise Diverged(Origin("the penalty on the weights overflowed"), parts[0])
        for k, one in enumerate(found):
            if not all(math.isfinite(term.value) for term in one.terms):
                raise Diverged(forward_origin(net, self._again(parts, factors, k)), parts[k])
        norm = self._clip()
        if not math.isfinite(norm):
            raise self._overflow(parts, factors)
        self._move(norm, parts[0])
        return Update(found, penalty, norm, lr)

    def _again(self, parts: list[Samples], factors: list[tuple[float, ...]], k: int) -> Evaluation:
        """Part ``k`` once more, here, with a tape in which the origin of a NaN can be found."""
        seeds = (DROPOUT, self._options.seed, self.epoch, self.batch)
        rng = part_rng(self.net, seeds, k, len(parts))
        return run_part(self.net, self._options.heads, parts[k], factors[k], rng)

    def _overflow(self, parts: list[Samples], factors: list[tuple[float, ...]]) -> Diverged:
        """Where a gradient of several parts stopped being finite."""
        for k, part in enumerate(parts):
            evaluation = self._again(parts, factors, k)
            if not math.isfinite(global_norm(self.net.grads.flat)):
                return Diverged(backward_origin(self.net, evaluation), part)
        return Diverged(Origin("the sum of the gradients overflowed"), parts[0])

    def _rng(self) -> np.random.Generator | None:
        return part_rng(self.net, (DROPOUT, self._options.seed, self.epoch, self.batch), 0, 1)

    def _clip(self) -> float:
        """Clip the gradient; return its norm before."""
        options, grads = self._options, self.net.grads.flat
        if self._frozen is not None:
            grads[self._frozen] = 0  # parameters that do not move must not count in the norm
        if options.clip_norm is not None:
            return clip_norm(grads, options.clip_norm)
        if options.clip_value is not None:
            return clip_value(grads, options.clip_value)
        return global_norm(grads)

    def _move(self, norm: float, part: Samples) -> None:
        """Make one step of the optimiser with the gradient in ``net.grads``."""
        net = self.net
        finite = self.optimizer.step(
            net.params.flat, net.grads.flat, self._multiplier, self._decay_mask, previous=self.good
        )
        origin = update_origin(net, self.optimizer, norm, finite)
        if origin is not None:
            raise Diverged(origin, part)


def _with_steps(y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A copy of the outputs of a batch, zero at the last steps that all of its rows lack."""
    found = np.zeros(shape, y.dtype)
    found[:, : y.shape[1]] = y
    return found
