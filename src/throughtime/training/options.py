"""The options of a run, checked as a whole before any work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, TypeVar

import numpy as np

from throughtime.activations import ACTIVATIONS, Softmax
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    Message,
    ThroughtimeError,
    check_bool,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.layers import CRF, Dense, Recurrent
from throughtime.network import Network
from throughtime.optimizers import OPTIMIZERS
from throughtime.optimizers.base import Optimizer
from throughtime.registry import Words
from throughtime.training.heads import Head, Heads, check_heads
from throughtime.training.truncation import check_chunks

#: What other libraries call the arguments of :func:`throughtime.train` and of its siblings.
OTHER_NAMES: Words = {
    "net": ("model", "module", "network"),
    "x": (
        "X", "X_train", "data", "dataset", "features", "input_ids", "inputs", "train_x", "x_train",
    ),
    "y": ("Y", "labels", "outputs", "target", "targets", "train_y", "y_train", "y_true"),
    "loss": ("criterion", "loss_fn", "loss_function", "objective"),
    "loss_weights": ("loss_weight", "output_weights"),
    "optimizer": ("opt", "optim", "optimiser", "solver", "updater"),
    "optimizer=tt.optimizers.Adam(0.001)": (
        "eta", "learning_rate", "learning_rate_init", "lr", "lrate", "scheduler", "step_size",
    ),
    "optimizer=tt.optimizers.SGD(0.01, momentum=0.9)": ("momentum", "nesterov"),
    "optimizer=tt.optimizers.Adam(0.001, beta1=0.9, beta2=0.999)": ("betas", "beta_1", "beta_2"),
    "epochs": ("max_epochs", "max_iter", "n_epochs", "n_iter", "nb_epoch", "num_epochs"),
    "batch_size": ("batch", "batchsize", "bs", "minibatch_size"),
    "lengths": ("seq_lengths", "seq_lens", "sequence_length", "sequence_lengths", "x_lengths"),
    "mask": ("attention_mask", "masks", "padding_mask"),
    "sample_weight": ("sample_weights", "weight", "weights"),
    "class_weight": ("class_weights",),
    "validation": (
        "eval_set", "val", "val_data", "validation_data", "validation_fraction",
        "validation_set", "validation_size", "validation_split",
    ),
    "validation=(x, y)": ("X_val", "x_val", "y_val"),
    "clip_norm": (
        "clip", "clip_grad", "clip_gradient", "clipnorm", "global_clipnorm", "grad_clip",
        "gradient_clip", "gradient_clip_val", "max_grad_norm", "max_norm",
    ),
    "clip_value": ("clipvalue",),
    "l1": ("l1_penalty", "l1_reg"),
    "l2": ("alpha", "l2_penalty", "l2_reg", "regularization", "weight_decay"),
    "tbptt": ("bptt", "truncated_bptt_steps", "truncation"),
    "callbacks": ("callback",),
    "callbacks=[tt.EarlyStopping(patience=10)]": (
        "early_stopping", "early_stopping_rounds", "n_iter_no_change", "patience",
    ),
    "callbacks=[tt.EMA(decay=0.999)]": ("ema", "ema_decay", "ema_momentum", "use_ema"),
    "callbacks=[tt.SWA(start=0.75)]": ("swa", "swa_epoch_start", "swa_lrs", "swa_start"),
    "metrics": ("metric", "scoring"),
    "checkpoint": ("checkpoint_path", "ckpt_path", "filepath", "model_dir", "save_path"),
    "verbose": ("progress", "progress_bar", "verbosity"),
    "seed": ("random_seed", "random_state", "rng"),
    "batches": ("dataloader", "generator", "loader", "train_dataloader", "train_loader"),
    "batches=lambda: itertools.islice(generator(), 30)": ("steps", "steps_per_epoch"),
    "validation=lambda: itertools.islice(generator(), 30)": ("validation_steps",),
    "checkpoint=path, resume=True, which knows the epochs that are done": ("initial_epoch",),
    "carry_state": ("stateful",),
    "initial_state": ("h0", "hx", "initial_states", "state"),
    "accumulate": (
        "accumulate_grad_batches", "accumulation_steps", "gradient_accumulation_steps",
    ),
    "shards": ("num_replicas", "world_size"),
    "executor": ("client", "pool", "strategy"),
    "prefetch": ("max_queue_size", "prefetch_factor"),
    "tt.set_num_threads(2)": ("n_jobs", "num_threads"),
    "tt.set_num_threads(2) to compute, prefetch=2 to read batches ahead": (
        "num_workers", "use_multiprocessing", "workers",
    ),
    "the options of the layers, such as dropout and lr_multiplier": (
        "dropout", "recurrent_dropout", "trainable",
    ),
    "no device: throughtime runs on the processor": ("accelerator", "cuda", "device", "gpus"),
}  # fmt: skip


def option(check: Callable[[str, Any], Any], *, optional: bool = False) -> Any:
    """A field of :class:`TrainingOptions` whose value is ``check(name, value)``, or None."""

    def check_or_none(name: str, value: Any) -> Any:
        return None if value is None and optional else check(name, value)

    return field(metadata={"check": check_or_none})


_COUNT = partial(check_int, minimum=1)
_PENALTY = partial(check_float, low=0.0)
_LIMIT = partial(check_float, low=0.0, inclusive="neither")


def _check_tbptt(name: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        expected = "a pair (k1, k2): an update every k1 steps, back through k2"
        raise InvalidTypeError(sentence(name, expected, describe(value)))
    k1 = check_int(f"{name}[0], k1,", value[0], 1)
    # With less, the steps between two updates would have no gradient.
    return k1, check_int(f"{name}[1], k2,", value[1], k1, hint="It must not be less than k1.")


class Default(int):
    """A default that can be told from the same number given by the caller."""


#: Sequences in an update where ``batch_size`` is left out.
BATCH_SIZE = Default(32)


@dataclass(frozen=True)
class StepOptions:
    """How to make one update: the options of :class:`throughtime.TrainStep`, checked.

    Each option is declared here or in :class:`TrainingOptions` once, with its type and its check.
    """

    heads: Heads = option(lambda _, value: value)  # see check_heads
    optimizer: Optimizer = option(lambda _, value: OPTIMIZERS.get(value))
    clip_norm: float | None = option(_LIMIT, optional=True)
    clip_value: float | None = option(_LIMIT, optional=True)
    l1: float = option(_PENALTY)
    l2: float = option(_PENALTY)
    tbptt: tuple[int, int] | None = option(_check_tbptt, optional=True)
    seed: int = option(partial(check_int, minimum=0))


@dataclass(frozen=True)
class TrainingOptions(StepOptions):
    """How to train: the options of :func:`throughtime.train`, checked."""

    epochs: int = option(_COUNT)
    batch_size: int | None = option(_COUNT, optional=True)
    shuffle: bool = option(check_bool)
    bucket: bool = option(check_bool)
    keep_outputs: bool = option(check_bool)
    carry_state: bool = option(check_bool)
    shards: int | None = option(_COUNT, optional=True)
    accumulate: int = option(_COUNT)


Options = TypeVar("Options", bound=StepOptions)


def check_options(net: Network, arguments: Mapping[str, Any], kind: type[Options]) -> Options:
    """Return the options among ``arguments`` as values of their types, or say which is wrong."""
    named = {name: arguments[name] for name in ("loss", "loss_weights", "metrics")}
    arguments = {**arguments, "heads": check_heads(net, **named)}
    options = kind(
        **{
            field.name: field.metadata["check"](field.name, arguments[field.name])
            for field in fields(kind)
        }
    )
    if options.clip_norm is not None and options.clip_value is not None:
        raise InvalidArgumentError(
            Message(
                "{clip_norm} and {clip_value} must not be given together; got {norm!r} and"
                " {limit!r}.",
                parameter="clip_value",
                value=options.clip_value,
                hint=Message("{clip_norm} keeps the direction of the gradient."),
                norm=options.clip_norm,
                limit=options.clip_value,
            )
        )
    check_gradient_flow(net)
    check_outputs(net, options.heads)
    if options.tbptt is not None:
        whole = next((head.loss for head in options.heads if head.loss.whole), None)
        if whole is not None:
            expected = f"None for loss {whole.name!r}, which needs all steps of a sequence"
            raise InvalidArgumentError(sentence("tbptt", expected, str(options.tbptt)))
        check_chunks(net)
    return options


def check_gradient_flow(net: Network) -> None:
    """Refuse a layer that no gradient passes through: a softmax over a single unit."""
    for i, layer in enumerate(net.layers):
        width = layer.units if isinstance(layer, Recurrent) else net.topology.forms[i].features
        chosen = [getattr(layer, name, None) for name in ("activation", "recurrent_activation")]
        if width == 1 and any(isinstance(one, Softmax) for one in chosen):
            raise InvalidArgumentError(
                Message(
                    "{layer} must not have activation='softmax' over a single unit,"
                    " which is always 1 and learns nothing.",
                    parameter="net",
                    value=net,
                    hint="Write activation='sigmoid', or give the layer one unit for each class.",
                    layer=net.topology.named(i),
                )
            )


def check_network(net: Any) -> Network:
    """Return ``net`` if it is a network whose weights are finite."""
    if not isinstance(net, Network):
        raise InvalidTypeError(sentence("net", "a Network", describe(net)))
    finite = np.isfinite(net.params.flat)
    if not finite.all():
        name, index = net.params.locate(int(np.argmin(finite)))
        got = f"{net.params[name][index]} in {name!r} at index {index}"
        hint = "net.reset_parameters() draws new ones."
        raise DataError(
            sentence("net", "finite weights to start from", got, hint, must="have", value=net)
        )
    return net


def check_outputs(net: Network, heads: Heads) -> None:
    """Refuse a loss that is not defined for the outputs that a network has."""
    for k, head in enumerate(heads):
        try:
            _check_output(net, k, head)
        except ThroughtimeError as error:
            raise head.blame(error) from None


def _check_output(net: Network, k: int, head: Head) -> None:
    loss, n_outputs = head.loss, net.topology.output_forms[k].features
    loss.check_n_outputs(n_outputs)
    i = net.topology.ends[k]
    while not isinstance(net.layers[i], Dense | Recurrent):  # a layer without an activation
        before = net.plan.calls[i].sources[0] - len(net.plan.forms)
        if before < 0 or net.layers[i].several:
            break
        i = before
    activation = getattr(net.layers[i], "activation", None)
    # A user-defined activation is judged later, by the outputs that it gives.
    known = isinstance(activation, tuple(ACTIVATIONS[name] for name in ACTIVATIONS))
    if loss.domain is None or activation is None or not known:
        return
    # Outputs over the whole range of float32 that matters: sigmoid(30) is 1 to the last digit. The
    # others are zero, so that no sum is 1 by chance, as sigmoid(z) + sigmoid(-z) would be.
    z = np.zeros((61, 3 if n_outputs > 1 else 1))
    z[:, 0] = np.linspace(-30.0, 30.0, len(z))
    found = loss.outside_domain(activation(z))
    if found is not None:
        way = f"End the network with Dense({n_outputs}, activation={loss.domain.activation!r})."
        if isinstance(net.layers[net.topology.ends[k]], CRF):
            way = "A network that ends with CRF() is trained with loss='crf'."
        raise InvalidArgumentError(
            Message(
                "{loss} {named!r} needs outputs {domain}; {layer} has activation={activation!r},"
                " which gives others.",
                parameter="loss",
                value=loss,
                hint=way,
                named=loss.name,
                domain=found[0],
                layer=net.topology.named(i),
                activation=ACTIVATIONS.name_of(activation),
            )
        )
