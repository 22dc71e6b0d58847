"""The training loop.

    for every epoch:  for every batch:  forward, backward, clip, step

No random state outlives an epoch: the order of batches is drawn from ``(seed, epoch)`` and dropout
from ``(seed, epoch, batch)``, and in a batch of several parts from ``(seed, epoch, batch, part)``.
So a run that is resumed at the start of an epoch has the same bits without the state of a
generator. The first words of the seeds are 1 for the validation subset, 2 for the order
(:mod:`throughtime.training.supply`) and 3 for dropout (:mod:`throughtime.training.step`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from throughtime.data.batches import minibatches
from throughtime.errors import DivergedError, ThroughtimeError
from throughtime.layers.base import UNTAPED
from throughtime.network import Network
from throughtime.network.signals import each
from throughtime.training.averaging import find_average
from throughtime.training.callbacks import Callback, Run
from throughtime.training.carrying import Carried
from throughtime.training.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from throughtime.training.divergence import forward_origin
from throughtime.training.evaluation import score
from throughtime.training.history import History
from throughtime.training.interrupt import Interruption
from throughtime.training.mapped import Mapped
from throughtime.training.monitor import BestWeights
from throughtime.training.objective import Evaluation
from throughtime.training.options import TrainingOptions
from throughtime.training.progress import Display
from throughtime.training.replay import Trace
from throughtime.training.samples import Samples
from throughtime.training.scores import Scores
from throughtime.training.sources import Source
from throughtime.training.step import Diverged, TrainStep
from throughtime.training.supply import Group, Supply

#: How many times larger a batch of validation is than one of training: it keeps no tape, which for
#: an LSTM holds the four gates beside the states.
EVALUATION_FACTOR = 4


@dataclass
class Loop:
    """A training run: its parts, all checked, and :meth:`run`.

    Attributes
    ----------
    everything : Samples, Mapped or None
        All sequences, whose outputs are kept if that is asked for.
    supply : Supply
        What gives the batches to train on.
    validation : Samples, Mapped, Source or None
        The data to validate on.
    watched : str
        The column of the history that the learning-rate schedule observes.
    fingerprint : dict
        The description of the run with which a checkpoint is compared.
    carried : Carried or None
        The states that go on from batch to batch.
    """

    net: Network
    options: TrainingOptions
    everything: Samples | Mapped | None
    supply: Supply
    validation: Samples | Mapped | Source | None
    callbacks: list[Callback]
    best: BestWeights
    watched: str
    checkpoint: Checkpoint | None
    fingerprint: dict[str, object]
    step: TrainStep
    carried: Carried | None = None

    def __post_init__(self) -> None:
        options = self.options
        options.optimizer.reset()
        self.best.rule.reset()
        self.state = Run(self.net, options.optimizer, History(), options.epochs)
        self.state.batches = self.supply.count()
        self.state.history.monitor = self.best.monitor
        self.penalised = bool(options.l1 or options.l2) or self.net.topology.penalised
        self.interruption = Interruption()
        given = () if self.checkpoint is None else (self.supply.source, self.validation)
        self.traces = [Trace(source) for source in given if isinstance(source, Source)]
        self.average = find_average(self.callbacks)
        if self.average is not None:
            self.average.reset()

    def resume(self) -> None:
        """Continue from the checkpoint, if its file exists."""
        assert self.checkpoint is not None
        found = load_checkpoint(
            self.checkpoint, self.state, self.best, self.callbacks, self.fingerprint, self.traces
        )
        for trace in self.traces if found else ():
            trace.check()
        self.step.good[...] = self.net.params.flat
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
                restored = (interrupted or self.best.rule.restore_best) and self.best.restore(state)
                if not (restored or interrupted):
                    self._average()
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
        self.supply.begin(state.epoch)
        state.batches = self.supply.count()
        row = self._train(progress)
        if row is None:
            state.epoch -= 1
            return
        if self.average is not None:
            self.average.after_epoch(state)
        raw = None if self.average is None else self.net.params.flat.copy()
        self._average()  # which is judged
        if self.validation is not None:
            row |= self._validate(self.validation)
        if self.options.keep_outputs and self.everything is not None:
            state.history.outputs.append(self._predict(self.everything))
        for trace in self.traces:
            trace.add()
        row["seconds"] = time.perf_counter() - began
        state.history.append(row)
        state.optimizer.observe(row[self.watched])
        self.best.update(state)
        if raw is not None:
            self.net.params.flat[...] = raw
        progress.epoch(state.epoch, state.history.last())
        for callback in self.callbacks:
            callback.on_epoch_end(state)
        self._heed_interruption()
        if self.checkpoint is not None:
            ends = state.epoch == state.epochs or state.stop_reason is not None
            if ends or state.epoch % self.checkpoint.every == 0:
                save_checkpoint(
                    self.checkpoint, state, self.best, self.callbacks, self.fingerprint, self.traces
                )

    def _average(self) -> None:
        """Put the average of the weights, if there is one, into the network."""
        if self.average is not None and self.average.weights is not None:
            self.net.params.flat[...] = self.average.weights

    def _train(self, progress: Display) -> dict[str, float] | None:
        """Make the updates of one epoch; return its row for the history, or None if stopped."""
        state, options = self.state, self.options
        self.step.begin_epoch(state.epoch)
        scores = Scores(self.net, options.heads, self.supply.data)
        penalties: list[float] = []
        norms: list[float] = []
        lr = state.optimizer.current_lr
        summed = all(head.loss.reduction == "sum" for head in options.heads)
        if self.carried is not None:
            self.carried.begin()
        with closing(self._groups()) as groups:
            for state.batch, group in enumerate(groups, start=1):
                self.step.batch = state.batch
                # The loss of the whole batch, even if it is cut into chunks of time.
                mine = Scores(self.net, options.heads, metrics=False)
                own: list[float] = []
                for update in self._updates(group):
                    lr = update.lr
                    if update.norm is not None:
                        if self.average is not None:
                            self.average.after_update(state)
                        norms.append(update.norm)
                        own.append(update.penalty)
                    for rows, found, part in zip(
                        group.rows, update.found, group.parts, strict=True
                    ):
                        scores.add(rows, found, part)
                        mine.add(rows, found, part)
                # Or two tapes are in memory while the next update is made.
                del update, found
                if mine.weight > 0:
                    state.loss = mine.loss
                    # The penalty of a batch is shared among its chunks as the loss is.
                    penalties.append(math.fsum(own) / (1 if summed else len(own)))
                for callback in self.callbacks:
                    callback.on_batch_end(state)
                progress.batch(state.epoch, state.batch, state.batches, state.loss)
                self._heed_interruption()
                if state.stop_reason is not None and not self._was_last(groups):
                    return None
        state.batches = state.batch
        if self.supply.source is not None:
            scores.check_counted(self.supply.source.name)
        elif isinstance(self.supply.data, Mapped) and self.supply.data.weigh is not None:
            scores.check_counted("class_weight")
        row = scores.row()
        if self.penalised:
            row["penalty"] = math.fsum(penalties) / max(len(penalties), 1)
        row |= {"lr": lr, "grad_norm": math.fsum(norms) / max(len(norms), 1)}
        return row

    def _was_last(self, groups: Iterator[Group]) -> bool:
        """Whether the batch that is done was the last one of the epoch."""
        state = self.state
        if self.supply.source is None:
            return state.batches is not None and state.batch >= state.batches
        # What a source says, or gave in the epoch before, need not hold in this epoch. After Ctrl-C
        # nobody waits for a source that may have no end.
        return not self.interruption.requested and next(groups, None) is None

    def _groups(self) -> Generator[Group, None, None]:
        """What each update of the epoch is made from, with the states that go on."""
        groups = self.supply.groups(self.state.epoch)
        return groups if self.carried is None else self._carry(groups, self.carried)

    def _carry(
        self, groups: Generator[Group, None, None], carried: Carried
    ) -> Generator[Group, None, None]:
        with closing(groups):
            for number, group in enumerate(groups, start=1):
                try:
                    parts = carried.give(group.parts)
                except ThroughtimeError as error:
                    raise error.within(f"batch {number} of epoch {self.state.epoch}") from None
                yield group._replace(parts=parts)

    def _updates(self, group: Group) -> Iterator[Any]:
        """Make the updates of one batch."""
        try:
            update = None
            for update in self.step.updates(group.parts, group.rows):
                yield update
        except Diverged as error:
            state = self.state
            of = "" if state.batches is None else f" of {state.batches}"
            self._diverged(error, f"in epoch {state.epoch}, batch {state.batch}{of}")
        if self.carried is not None and update is not None:
            self.carried.take(update.final_states)

    def _validate(self, data: Samples | Mapped | Source) -> dict[str, float]:
        """Loss and metrics without dropout."""
        options = self.options

        def finite(evaluation: Evaluation, part: Samples) -> None:
            if not math.isfinite(evaluation.data_loss):
                error = Diverged(forward_origin(self.net, evaluation), part)
                self._diverged(error, f"on the validation data after epoch {self.state.epoch}")

        carried = None if self.carried is None else Carried(self.net)
        size = self._larger() if carried is None else options.batch_size
        scores = score(self.net, data, options.heads, size, carried, finite, self.state.epoch)
        return scores.row("val_")

    def _predict(self, samples: Samples | Mapped) -> Any:
        """The outputs for all of ``samples``, zero at masked steps, in their container."""
        carried = None if self.carried is None else Carried(self.net, self.carried.initial)
        size = self._larger() if carried is None else self.options.batch_size
        shapes = self.net.topology.output_shapes(samples.shapes)
        outputs = [np.zeros(shape, self.net.dtype) for shape in shapes]
        nothing: list[Any] = [None] * len(self.net.layers)
        for rows in minibatches(len(samples), size, shuffle=False):
            part = samples.batch(rows)
            if carried is not None:
                (part,) = carried.give([part])
            found, tape = self.net.run(part.x, part.mask, part.states or nothing, UNTAPED)
            if carried is not None:
                carried.take([tape.final_state])
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

    def _diverged(self, error: Diverged, place: str) -> NoReturn:
        """Restore finite weights; say where the divergence began and what to try."""
        state = self.state
        if self.best.restore(state):
            back = f"the weights of epoch {state.history.best_epoch}, the best so far, are restored"
        else:
            self.net.params.flat[...] = self.step.good
            back = "the last weights with a finite loss are restored"
        state.history.stopped = "diverged"
        try:
            self.step.explain(error, place, back)
        except DivergedError as told:
            told.history = state.history
            raise
