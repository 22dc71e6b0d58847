"""A network as words of JSON, and back; a file may say anything, and is checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from throughtime.errors import ModelFileError, ThroughtimeError, check_bool, check_int, describe
from throughtime.layers import Recurrent
from throughtime.layers.base import LAYERS, Layer
from throughtime.layers.forms import Form, Steps, check_name
from throughtime.network import plan as planning
from throughtime.network.containers import Container
from throughtime.network.graph import Topology
from throughtime.network.params import check_dtype
from throughtime.network.plan import Call, Plan, Unit

STACK = {"layers", "n_features", "dtype", "seed", "name", "frozen"}
GRAPH = {"inputs", "units", "calls", "outputs", "stack", "dtype", "seed", "name", "frozen"}


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The entries of a file that describe ``plan``."""
    listed = all(unit.owner == str(i) for i, unit in enumerate(plan.units))
    if plan.stack and listed:
        (form,) = plan.forms
        return {
            "layers": [LAYERS.to_config(unit.layer) for unit in plan.units],
            "n_features": None if form.kind == "tokens" else form.features,
        }
    inputs = [
        {
            "name": name,
            "kind": form.kind,
            "features": form.features,
            "steps": None if form.steps is None else form.steps.count,
        }
        for name, form in zip(plan.inputs.names, plan.forms, strict=True)
    ]
    return {
        "inputs": {"container": plan.inputs.kind, "each": inputs},
        "units": [{"owner": u.owner, "layer": LAYERS.to_config(u.layer)} for u in plan.units],
        "calls": [
            {
                "unit": unit,
                "sources": list(sources),
                "state": state if isinstance(state, int | None) else list(state),
            }
            for unit, sources, state in plan.calls
        ],
        "outputs": {
            "container": plan.outputs.kind,
            "names": list(plan.outputs.names),
            "signals": list(plan.signals),
        },
        "stack": plan.stack,
    }


def read_plan(config: Any) -> Plan:
    """Build the plan that :func:`describe_plan` described.

    Raises
    ------
    ModelFileError
        If the description is not one, or does not hold together.
    """
    if not isinstance(config, dict) or not (
        isinstance(config.get("layers"), list) or isinstance(config.get("calls"), list)
    ):
        raise ModelFileError(f"the file describes no network; got {describe(config)}.")
    unknown = sorted(config.keys() - (STACK if "layers" in config else GRAPH))
    if unknown:
        raise ModelFileError(f"the file gives a network an unknown entry {unknown[0]!r}.")
    if "layers" in config:
        layers = [LAYERS.from_config(layer) for layer in config["layers"]]
        try:
            return planning.stack(layers, config.get("n_features"))[0]
        except ThroughtimeError as error:
            raise ModelFileError(f"the file describes no valid network: {error}") from None
    try:
        return _read_graph(config)
    except ModelFileError:
        raise
    except ThroughtimeError as error:
        raise ModelFileError(f"the file describes no valid network: {error}") from None
    # The description may say anything.
    except Exception:
        raise ModelFileError("the file describes no valid network: its graph is damaged.") from None


def _read_graph(config: dict[str, Any]) -> Plan:
    given = config["inputs"]["each"]
    names = tuple(_name(one["name"]) for one in given)
    forms = tuple(_form(one) for one in given)
    units = tuple(
        Unit(_owner(one["owner"]), LAYERS.from_config(one["layer"])) for one in config["units"]
    )
    calls: list[Call] = []
    for one in config["calls"]:
        unit = check_int("unit", one["unit"], 0, len(units) - 1)
        layer = units[unit].layer
        known = len(forms) + len(calls) - 1  # a call takes what is there before it
        sources = tuple(check_int("source", s, 0, known) for s in one["sources"])
        calls.append(Call(unit, sources, _state(one["state"], layer, units, calls, known)))
        _check_number(layer, len(sources))
    ends = config["outputs"]
    last = len(forms) + len(calls) - 1
    signals = tuple(check_int("output", s, len(forms), last) for s in ends["signals"])
    outputs = tuple(_name(name) for name in ends["names"])
    if not forms or not signals or len(outputs) != len(signals):
        raise ModelFileError("the file describes a network without ends.")
    for found in ([unit.owner for unit in units], names, outputs):
        if len({*found}) != len(found):
            raise ModelFileError("the file gives two layers, inputs or outputs one name.")
    if {call.unit for call in calls} != set(range(len(units))):
        raise ModelFileError("the file describes a layer that is not called.")
    used = {s for call in calls for s in (*call.sources, *planning.signals_of(call.state))}
    if not used >= {*range(len(forms))}:
        raise ModelFileError("the file describes an input that no layer takes.")
    boxes = config["inputs"]["container"], ends["container"]
    for box, found in zip(boxes, (names, outputs), strict=True):
        if box not in ("single", "list", "dict") or (box == "single" and len(found) > 1):
            raise ModelFileError(f"the file puts {len(found)} arrays into a container {box!r}.")
    stack = check_bool("stack", config["stack"])
    in_a_row = boxes == ("single", "single") and (len(forms), signals) == (1, (last,))
    if stack and not in_a_row:
        raise ModelFileError("the file describes a list of layers that is none.")
    return Plan(
        Container(boxes[0], names),
        forms,
        units,
        tuple(calls),
        Container(boxes[1], outputs),
        signals,
        stack,
    )


def _state(state: Any, layer: Layer, units: tuple[Unit, ...], calls: list[Call], known: int) -> Any:
    if state is None:
        return None
    if not isinstance(layer, Recurrent):
        raise ModelFileError("the file gives a state to a layer that has none.")
    if isinstance(state, list):
        return tuple(check_int("a state", s, 0, known) for s in state)
    source = check_int("a state", state, 0, len(calls) - 1)
    if not isinstance(units[calls[source].unit].layer, Recurrent):
        raise ModelFileError("the file takes the state of a layer that has none.")
    return source


def _check_number(layer: Layer, number: int) -> None:
    least, most = layer.sources
    if number < least or (most is not None and number > most):
        raise ModelFileError(f"the file gives the layer {layer.kind} {number} inputs.")


def _name(name: Any) -> str:
    if isinstance(name, str) and name.isdecimal():
        return name  # the number of an input or output without a name
    return check_name(name)


def _owner(owner: Any) -> str:
    for part in str(owner).split("/"):
        _name(part)
    return str(owner)


def _form(one: dict[str, Any]) -> Form:
    kind, count = one["kind"], one["steps"]
    if kind not in ("sequence", "vector", "tokens"):
        raise ModelFileError(f"the file gives a network an unknown kind of input {kind!r}.")
    features = check_int("features", one["features"], 1)
    steps = Steps() if count is None else Steps(check_int("steps", count, 1))
    return Form(kind, features, None if kind == "vector" else steps)


def described(net: Any) -> dict[str, Any]:
    """Describe a network; its parameters apart."""
    config = {**describe_plan(net.plan), "dtype": str(net.dtype), "seed": net.seed}
    if net.name is not None:
        config["name"] = net.name
    return config | ({"frozen": sorted(net.frozen)} if net.frozen else {})


def read(
    config: Any, size: int | None
) -> tuple[Topology, np.dtype, int, str | None, frozenset[str]]:
    """Read what :func:`described` wrote: topology, dtype, seed, name, what is frozen.

    A description of another number of parameters than ``size`` is refused.
    """
    plan = read_plan(config)
    try:
        topology = Topology(plan)
        dtype = check_dtype(config.get("dtype"))
        seed = check_int("seed", config.get("seed"), 0)
        name = config.get("name")
        name = None if name is None else check_name(name)
        frozen = frozenset(config.get("frozen", ()))
        if not frozen <= {unit.owner for unit in plan.units}:
            raise ModelFileError("a layer that is not there is frozen")
        wanted = sum(math.prod(shape) for shape in topology.param_shapes().values())
    # The description may say anything, and a user-defined layer may fail on it in any way.
    except Exception as error:
        raise ModelFileError(f"the file describes no valid network: {error}") from None
    if size is not None and wanted != size:
        many = wanted if wanted < 2**63 else "more than 2**63"  # Python prints no huge number
        raise ModelFileError(f"the file describes a network of {many} parameters and holds {size}.")
    return topology, dtype, seed, name, frozen
