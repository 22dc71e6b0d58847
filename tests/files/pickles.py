"""Pickles for a folder of files: what people pickle, and what it must give afterwards."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from files import checkpoints, forecasters, networks

import throughtime as tt

#: What an object gives, as arrays. Texts are arrays without axes; descriptions are JSON.
Answers = dict[str, np.ndarray]
VALUES = np.linspace(-2.0, 2.0, 12).reshape(4, 3)
REGISTRIES = {
    "activation": tt.activations.ACTIVATIONS,
    "initializer": tt.initializers.INITIALIZERS,
    "layer": tt.layers.LAYERS,
    "loss": tt.losses.LOSSES,
    "metric": tt.metrics.METRICS,
    "optimizer": tt.optimizers.OPTIMIZERS,
    "scaler": tt.data.SCALERS,
    "schedule": tt.schedules.SCHEDULES,
}


def objects() -> dict[str, Any]:
    """Everything that is pickled; the first word of a name says how it is asked."""
    found: dict[str, Any] = {}
    for kind in ("activation", "initializer", "loss", "metric"):
        for name in REGISTRIES[kind]:
            options = {"scale": 2.0} if name == "mase" else {}
            found[f"{kind}-{name}"] = REGISTRIES[kind][name](**options)
    for name in REGISTRIES["scaler"]:
        found[f"scaler-{name}"] = REGISTRIES["scaler"][name]().fit(VALUES)
    for name, rule in checkpoints.OPTIMIZERS.items():
        stepped = copy.deepcopy(rule)
        params = VALUES.ravel().copy()
        for _ in range(2):
            stepped.step(params, np.sin(params))
        found[f"optimizer-{name}"] = stepped
    for name, rule in checkpoints.SCHEDULES.items():
        observed = copy.deepcopy(rule)
        for value in (1.0, 1.0, 1.0):
            observed.observe(value)
        found[f"schedule-{name}"] = observed
    for name, layers in networks.stacks().items():
        if not name.startswith(("activation", "initializer")):
            found[f"layers-{name}"] = layers
    return found | _networks() | _forecasts() | _others()


def _networks() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for dtype in ("float32", "float64"):
        layers = [tt.layers.LSTM(3, return_sequences=True), tt.layers.Dense(2, activation="tanh")]
        net = networks.network("", layers, dtype)
        found[f"network-{dtype}"] = net
        found[f"params-{dtype}"] = net.params
        y, tape = net.forward(networks.inputs(layers)["x"])
        net.backward(tape, np.ones_like(y))
        found[f"params-gradients-{dtype}"] = net.grads.copy()
        with tt.engine("reference"):  # a stream that has run natively could not be pickled in 0.1
            stream = net.stream(rows=4)
            stream.step(VALUES[:, :2])
        found[f"stream-{dtype}"] = stream
        found[f"stream-fresh-{dtype}"] = net.stream(rows=4)
    arrays, run = checkpoints.data(), checkpoints.runs()["optimizer-adam"]
    net = tt.Network.from_config(run["network"])
    history = tt.train(net, arrays["x"], arrays["y"], epochs=2, verbose=False, keep_outputs=True)
    found["history-history"] = history
    found["gradients-report"] = tt.check_gradients(net, arrays["x"], arrays["y"], loss="mse")
    return found


def _forecasts() -> dict[str, Any]:
    y = forecasters.wave()
    model = forecasters.Forecaster(4, season=6, **forecasters.QUICK).fit({"north": y, "south": y})
    report = copy.deepcopy(model).backtest(y)
    return {
        "forecaster-unfitted": forecasters.Forecaster(4, season=6, **forecasters.QUICK),
        "forecaster-fitted": model,
        "forecast-forecast": model.predict()["north"],
        "report-backtest": report,
        "fields-score": report.scores[0],
        "fields-progress": tt.forecasting.Progress("training", 1, 2, 0.5, None),
    }


def _others() -> dict[str, Any]:
    days = np.datetime64("2024-01-01") + np.arange(5)
    errors = tt.errors
    kinds = ("InvalidArgumentError", "InvalidTypeError", "ShapeError", "DataError")
    more = ("ModelFileError", "MissingDependencyError", "DivergedError")
    return {
        "state-stopping": tt.EarlyStopping("val_loss", patience=3, min_delta=0.25),
        "fields-checkpoint": tt.Checkpoint("model.safetensors", every=2),
        "vocabulary-letters": tt.data.Vocabulary("ACGT"),
        "series-days": tt.data.Series.from_arrays([1.0, np.nan, 3.0, 4.0, 5.0], days),
        **{f"error-{kind}": getattr(errors, kind)(f"a {kind}") for kind in kinds + more},
    }


def _text(value: Any) -> np.ndarray:
    return np.array(str(value))


def _config(kind: str) -> Callable[[Any], Answers]:
    return lambda value: {"config": _text(json.dumps(REGISTRIES[kind].to_config(value)))}


def _fields(value: Any) -> Answers:
    return {name: _text(getattr(value, name)) for name in vars(value)}


def _step(rule: Any) -> Answers:
    params = VALUES.ravel().copy()
    own = copy.deepcopy(rule)
    own.step(params, np.cos(params))
    return {"params": params, **_config("optimizer")(rule)}


def _stream(stream: Any) -> Answers:
    own = copy.deepcopy(stream)
    return {f"step {i}": own.step(VALUES[:, i : i + 2].astype(own.net.dtype)) for i in range(2)}


def _forecaster(model: Any) -> Answers:
    config = {"config": _text(json.dumps(model.to_config()))}
    if repr(model).endswith("not fitted>"):
        return config
    return config | forecasters.forecasts(model, {})


ASKED: dict[str, Callable[[Any], Answers]] = {
    "activation": lambda f: {"value": f(VALUES), **_config("activation")(f)},
    "error": lambda error: {"text": _text(error)},
    "fields": _fields,
    "forecast": forecasters.columns,
    "forecaster": _forecaster,
    "gradients": lambda report: {"value": np.array(report.value), "ok": np.array(report.ok)},
    "history": lambda h: {"loss": np.array(h["loss"]), "output": h.outputs[-1]},
    "initializer": _config("initializer"),
    "layers": lambda layers: {
        f"{i} config": _config("layer")(layer)["config"] for i, layer in enumerate(layers)
    },
    "loss": _config("loss"),
    "metric": _config("metric"),
    "network": lambda net: networks.outputs(net, networks.inputs(list(net.layers))),
    "optimizer": _step,
    "params": lambda params: {**params, "flat": params.flat},
    "report": lambda report: {
        f"{score.method}.{name}": np.array(getattr(score, name))
        for score in report.scores
        for name in ("mae", "rmse", "smape", "mase")
    },
    "scaler": lambda s: {"value": s.transform(VALUES), "back": s.inverse_transform(VALUES)},
    "schedule": lambda s: {"rates": np.array([s.rate(k, k) for k in range(6)])},
    "series": lambda s: {"values": s.values, "times": s.times},
    "stream": _stream,
    "state": lambda callback: {"state": _text(json.dumps(callback.state_dict()))},
    "vocabulary": lambda v: {"ids": v.encode("GATTACA")},
}


def ask(name: str, value: Any) -> Answers:
    """What ``value`` says."""
    return ASKED[name.partition("-")[0]](value)
