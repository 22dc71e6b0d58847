"""The fingerprint of a run: what must be the same for it to continue from a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from throughtime.errors import ModelFileError, describe
from throughtime.network import Network
from throughtime.training.heads import Heads
from throughtime.training.mapped import Column
from throughtime.training.monitor import BestWeights
from throughtime.training.options import TrainingOptions

#: Options that a resumed run may change, because they do not change what is computed.
FREE = ("epochs",)
#: Options that checkpoints of 0.2 do not know, with what was computed then.
NEWER = {
    "name": None, "merge": "concat", "layer_norm": False, "zoneout": 0.0, "cell_zoneout": 0.0,
    "hidden_clip": None, "cell_clip": None, "peepholes": False, "coupled_gates": False,
    "proj_size": None, "label_smoothing": 0.0, "carry_state": False, "shards": None,
    "accumulate": 1,
}  # fmt: skip


def fingerprint(
    net: Network,
    options: TrainingOptions,
    data: Any,
    held_out: Any,
    best: BestWeights,
    renew: Any = None,
    initial: Any = None,
) -> dict[str, Any]:
    """Describe network, data and options, ready for JSON.

    ``data`` and ``held_out`` have ``arrays``; those of a source, which come later, have none.
    ``initial`` is the state with which the first batch of an epoch begins.
    """
    parts = [data] if held_out is None else [data, held_out]
    result = {
        "network": describe_network(net),
        "data": digest([array for part in parts for array in part.arrays]),
        "monitor": [best.monitor, best.sign, best.rule.min_delta],
    }
    if renew is not None:
        result["renew"] = describe_option(renew)
    if initial is not None:
        result["initial_state"] = describe_option(initial)
    described = describe_option(options)
    described.update(describe_heads(options.heads))
    return result | {k: v for k, v in described.items() if k not in ("class", "heads", *FREE)}


def describe_network(net: Network) -> Any:
    """Describe what the bits of a run depend on: the layers, or the plan of a graph."""
    plan = net.plan
    shape = [*net.layers, net.n_features] if plan.stack else [plan]
    frozen = [sorted(net.frozen)] if net.frozen else []
    return describe_option([*shape, str(net.dtype), *frozen])


def describe_heads(heads: Heads) -> dict[str, Any]:
    """Describe the losses and the metrics, by output where there are several."""
    if len(heads) == 1:
        return {
            "loss": describe_option(heads[0].loss),
            "metrics": describe_option(heads[0].metrics),
        }
    return {
        "loss": {head.name: describe_option(head.loss) for head in heads},
        "loss_weights": {head.name: head.weight for head in heads},
        "metrics": {head.name: describe_option(head.metrics) for head in heads},
    }


def compare(where: str, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse the checkpoint in the file ``where`` if its fingerprint is not that of this run."""
    for name in {**now, **saved}:
        if (name in now) != (name in saved) or saved[name] != now[name]:
            what = f"other {name}"
            if name != "data" and name in saved and name in now:
                what += f": {describe(saved[name])} then, {describe(now[name])} now"
            raise ModelFileError(
                f"{where} belongs to a run with {what}."
                " Use another checkpoint path, or leave out resume=True to start anew."
            )


def digest(arrays: Iterable[np.ndarray | Column | None]) -> str:
    """Return a short text that is the same only for the same arrays, shapes and dtypes."""
    sha256 = hashlib.sha256()
    for array in arrays:
        if array is None:
            sha256.update(b"none")
            continue
        sha256.update(f"{array.dtype.str}{array.shape}".encode())
        for block in [array] if isinstance(array, np.ndarray) else array.blocks():
            sha256.update(np.ascontiguousarray(block).data)
    return sha256.hexdigest()


def describe_option(value: Any) -> Any:
    """Describe ``value``, ready for JSON and the same in every process.

    An object is described by its class and options, a function only by its name: what it does
    cannot be compared.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return digest([value])
    if isinstance(value, Mapping):
        return {str(key): describe_option(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe_option(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        known = {k: v for k, v in fields.items() if k not in NEWER or v != NEWER[k]}
        return {"class": type(value).__qualname__, **describe_option(known)}
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
