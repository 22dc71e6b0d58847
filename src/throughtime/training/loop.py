"""The training loop.

    for every epoch:  for every batch:  forward, backward, clip, step

No random state outlives an epoch: the order of batches is drawn from ``(seed, epoch)`` and dropout
from ``(seed, epoch, batch)``. So a run that is resumed at the start of an epoch has the same bits
without the state of a generator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from throughtime.data.batches import count_batches, minibatches
from throughtime.errors import DivergedError
from throughtime.layers.base import UNTAPED
from throughtime.network import Network
from throughtime.network.signals import each
from throughtime.training import objective, truncation
from throughtime.training.callbacks import Callback, Run
from throughtime.training.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from throughtime.training.clipping import clip_norm, clip_value, global_norm
from throughtime.training.divergence import (
    Origin,
    advice,
    backward_origin,
    forward_origin,
    update_origin,
)
from throughtime.training.evaluation import score
from throughtime.training.history import History
from throughtime.training.interrupt import Interruption
from throughtime.training.monitor import BestWeights
from throughtime.training.objective import Evaluation
from throughtime.training.options import TrainingOptions
from throughtime.training.progress import Display
from throughtime.training.samples import Samples
from throughtime.training.scores import Scores

# First words of the seeds for the random streams; 1 is that of the validation subset.
SHUFFLE, DROPOUT = 2, 3
#: How many times larger a batch of validation is than one of training: it keeps no tape, which for
#: an LSTM holds the four gates beside the states.
EVALUATION_FACTOR = 4


@dataclass
class Loop:
    """A training run: its parts, all checked, and :meth:`run`.

    Attributes
    ----------
    everything, data, validation : Samples
        All sequences, those to train on, and those to validate on; ``validation`` may be None.
    watched : str
        The column of the history that the learning-rate schedule observes.
    fingerprint : dict
        The description of the run with which a checkpoint is compared.
    renew : callable
        The sequences to train on in the epoch of a number; None if they are always ``data``.
    """

    net: Network
    options: TrainingOptions
    everything: Samples
    data: Samples
    validation: Samples | None
    callbacks: list[Callback]
    best: BestWeights
    watched: str
    checkpoint: Checkpoint | None
    fingerprint: dict[str, object]
    renew: Callable[[int], Samples] | None = None

    def __post_init__(self) -> None:
        options = self.options
        batches = count_batches(len(self.data), options.batch_size)
        options.optimizer.reset()
        self.best.rule.reset()
        self.state = Run(self.net, options.optimizer, History(), options.epochs, batches=batches)
        self.state.history.monitor = self.best.monitor
        self.multiplier = self.net.lr_multipliers()
        self.frozen = None if self.multiplier is None else self.multiplier == 0
        self.decay_mask = self.net.weight_mask()
        self.penalised = bool(options.l1 or options.l2) or self.net.topology.penalised
        # The last weights with a finite loss and a finite gradient.
        self.good = self.net.params.flat.copy()
        self.interruption = Interruption()

    def resume(self) -> None:
        """Continue from the checkpoint, if its file exists."""
        assert self.checkpoint is not None
        load_checkpoint(self.checkpoint, self.state, self.best, self.callbacks, self.fingerprint)
        self.good[...] = self.net.params.flat
        self.state.history.monitor = self.best.monitor
        self.best.consider_stopping(self.state)

    def run(self, progress: Display) -> History:
        """Train, and return what happened."""
        state = self.state
        note = "training failed"
        try:
            # Every batch is checked for overflow, which DivergedError then explains.
            with self.interruption, np.errstate(all="ignore"):
                for callback in self.callbacks:
                    callback.on_train_begin(state)
                while state.epoch < state.epochs and state.stop_reason is None:
                    self._epoch(progress)
                state.history.stopped = state.stop_reason or "finished"
                interrupted = state.history.stopped == "interrupted"
                if interrupted or self.best.rule.restore_best:
                    self.best.restore(state)
                for callback in self.callbacks:
                    callback.on_train_end(state)
                note = state.history.stopped
        finally:
            progress.close(note)
        if interrupted:
            progress.interrupted(self._outcome())
        return state.history

    def _outcome(self) -> str:
        """Which weights the network has after an interrupted run."""
        best = self.state.history.best_epoch
        if best is None:
            return "the weights are those after its last batch"
        return f"the weights of epoch {best}, the best so far, are restored"

    def _epoch(self, progress: Display) -> None:
        """Run one epoch; one that is stopped before its last batch has no row in the history."""
        state, began = self.state, time.perf_counter()
        state.epoch += 1
        if self.renew is not None and state.epoch > 1:
            self.data = self.renew(state.epoch)
            state.batches = count_batches(len(self.data), self.options.batch_size)
        row = self._train(progress)
        if row is None:
            state.epoch -= 1
            return
        if self.validation is not None:
            row |= self._validate(self.validation)
        if self.options.keep_outputs:
            state.history.outputs.append(self._predict(self.everything))
        row["seconds"] = time.perf_counter() - began
        state.history.append(row)
        state.optimizer.observe(row[self.watched])
        self.best.update(state)
        progress.epoch(state.epoch, state.history.last())
        for callback in self.callbacks:
            callback.on_epoch_end(state)
        self._heed_interruption()
        if self.checkpoint is not None:
            ends = state.epoch == state.epochs or state.stop_reason is not None
            if ends or state.epoch % self.checkpoint.every == 0:
                save_checkpoint(self.checkpoint, state, self.best, self.callbacks, self.fingerprint)

    def _train(self, progress: Display) -> dict[str, float] | None:
        """Make the updates of one epoch; return its row for the history, or None if stopped."""
        state, options = self.state, self.options
        state.optimizer.begin_epoch(state.epoch - 1)
        scores = Scores(self.net, self.data, options.heads)
        penalties: list[float] = []
        norms: list[float] = []
        lr = state.optimizer.current_lr
        summed = all(head.loss.reduction == "sum" for head in options.heads)
        for state.batch, rows in enumerate(self._batches(), start=1):
            part = self.data.batch(rows)
            # The loss of the whole batch, even if it is cut into chunks of time.
            mine = Scores(self.net, part, options.heads, metrics=False)
            own: list[float] = []
            for evaluation in self._evaluations(part):
                lr = state.optimizer.current_lr
                # A chunk without an unmasked step must not move the weights, not even by momentum.
                if evaluation.weight > 0:
                    norms.append(self._update(evaluation, part))
                    own.append(evaluation.penalty)
                for scored in (scores, mine):
                    scored.add(rows, evaluation)
            if mine.weight > 0:
                state.loss = mine.loss
                # The penalty of a batch is shared among its chunks as the loss is.
                penalties.append(math.fsum(own) / (1 if summed else len(own)))
            for callback in self.callbacks:
                callback.on_batch_end(state)
            progress.batch(state.epoch, state.batch, state.batches, state.loss)
            self._heed_interruption()
            if state.stop_reason is not None and state.batch < state.batches:
                return None
        row = scores.row()
        if self.penalised:
            row["penalty"] = math.fsum(penalties) / max(len(penalties), 1)
        row |= {"lr": lr, "grad_norm": math.fsum(norms) / max(len(norms), 1)}
        return row

    def _batches(self) -> Iterator[np.ndarray]:
        options = self.options
        lengths = self.data.lengths if options.bucket else None
        return minibatches(
            len(self.data),
            options.batch_size,
            np.random.default_rng([SHUFFLE, options.seed, self.state.epoch]),
            shuffle=options.shuffle,
            lengths=lengths,
            bucket=lengths is not None,
        )

    def _dropout(self) -> np.random.Generator:
        """The stream for dropout in this batch."""
        return np.random.default_rng(
            [DROPOUT, self.options.seed, self.state.epoch, self.state.batch]
        )

    def _evaluations(self, part: Samples) -> Iterator[Evaluation]:
        """Yield the loss of the batch, or of each chunk of it; its gradient is in ``net.grads``."""
        options = self.options
        self.net.grads.flat[...] = 0
        arguments: dict[str, Any] = {
            "mask": part.mask,
            "sample_weight": part.weight,
            "l1": options.l1,
            "l2": options.l2,
            "training": True,
            "rng": self._dropout() if self.net.topology.draws else None,
        }
        if options.tbptt is None:
            yield objective.evaluate_and_backward(
                self.net, part.x, part.y, options.heads, input_gradient=False, **arguments
            )
        else:
            for evaluation in truncation.truncated(
                self.net, part.x, part.y, options.heads, options.tbptt, **arguments
            ):
                yield evaluation
                self.net.grads.flat[...] = 0

    def _update(self, evaluation: Evaluation, part: Samples) -> float:
        """Make one step of the optimiser; return the norm of the gradient before clipping."""
        options, grads = self.options, self.net.grads.flat
        if not math.isfinite(evaluation.penalty):
            self._diverged(Origin("the penalty on the weights overflowed"), part)
        if not math.isfinite(evaluation.value):
            self._diverged(forward_origin(self.net, evaluation), part)
        if self.frozen is not None:
            grads[self.frozen] = 0  # parameters that do not move must not count in the norm
        if options.clip_norm is not None:
            norm = clip_norm(grads, options.clip_norm)
        elif options.clip_value is not None:
            norm = clip_value(grads, options.clip_value)
        else:
            norm = global_norm(grads)
        if not math.isfinite(norm):  # clipping has then left the gradient as it was
            self._diverged(backward_origin(self.net, evaluation), part)
        finite = self.state.optimizer.step(
            self.net.params.flat, grads, self.multiplier, self.decay_mask, previous=self.good
        )
        origin = update_origin(self.net, self.state.optimizer, norm, finite)
        if origin is not None:
            self._diverged(origin, part)
        return norm

    def _validate(self, samples: Samples) -> dict[str, float]:
        """Loss and metrics without dropout."""
        options = self.options

        def finite(evaluation: Evaluation, part: Samples) -> None:
            if not math.isfinite(evaluation.data_loss):
                origin = forward_origin(self.net, evaluation)
                self._diverged(origin, part, "on the validation data after epoch")

        size = self._larger()
        return score(self.net, samples, options.heads, size, finite).row("val_")

    def _predict(self, samples: Samples) -> Any:
        """The outputs for all of ``samples``, zero at masked steps, in their container."""
        shapes = self.net.topology.output_shapes([a.shape for a in each(samples.x)])
        outputs = [np.zeros(shape, self.net.dtype) for shape in shapes]
        states = [None] * len(self.net.layers)
        for rows in minibatches(len(samples), self._larger(), shuffle=False):
            part = samples.batch(rows)
            found, _ = self.net.run(part.x, part.mask, states, UNTAPED)
            for kept, y in zip(outputs, each(found), strict=True):
                if y.ndim == 3:
                    kept[rows, : y.shape[1]] = y
                else:
                    kept[rows] = y
        return self.net.plan.outputs.gather(outputs)

    def _larger(self) -> int | None:
        size = self.options.batch_size
        return None if size is None else size * EVALUATION_FACTOR

    def _heed_interruption(self) -> None:
        if self.interruption.requested:
            self.state.stop("interrupted")

    def _diverged(self, origin: Origin, part: Samples, when: str = "") -> NoReturn:
        """Restore finite weights; say where the divergence began and what to try."""
        state, options = self.state, self.options
        lr = state.optimizer.current_lr
        if self.best.restore(state):
            back = f"the weights of epoch {state.history.best_epoch}, the best so far, are restored"
        else:
            self.net.params.flat[...] = self.good
            back = "the last weights with a finite loss are restored"
        clipped = options.clip_norm is not None or options.clip_value is not None
        place = when or "in epoch"
        batch = "" if when else f", batch {state.batch} of {state.batches}"
        state.history.stopped = "diverged"
        error = DivergedError(
            f"training diverged {place} {state.epoch}{batch}: {origin}; {back}."
            f" {advice(self.net, part.x, lr, clipped)}"
        )
        error.history = state.history
        raise error
