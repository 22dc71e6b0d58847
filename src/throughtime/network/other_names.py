"""What other libraries call the things that one does with a network, and what to write here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from throughtime.errors import InvalidTypeError

#: Attribute of a network in another library -> what to write here.
OTHER_NAMES = {
    **dict.fromkeys(("fit", "train", "partial_fit"), "tt.train(net, x, y)"),
    "fit_generator": "tt.train(net, batches=...)",
    "train_on_batch": "step = tt.TrainStep(net, optimizer, loss), then step(x, y) for each batch",
    "compile": "tt.train(net, x, y, loss=..., optimizer=...)",
    **dict.fromkeys(("optimizer", "loss", "metrics"), "it as an argument of tt.train"),
    "history": "history = tt.train(net, x, y)",
    "stop_training": "run.stop() in a callback",
    **dict.fromkeys(("evaluate", "score", "test_on_batch"), "tt.evaluate(net, x, y)"),
    "evaluate_generator": "tt.evaluate(net, batches=...)",
    "summary": "print(net)",
    **dict.fromkeys(
        ("parameters", "named_parameters", "weights", "trainable_weights", "trainable_variables",
         "variables", "get_weights", "state_dict"),
        "net.params, arrays by their names",
    ),
    **dict.fromkeys(
        ("set_weights", "load_state_dict", "load_weights"),
        "net.params[name] = array, net.load_matching(path), or tt.load(path)",
    ),
    "save_weights": "net.save(path)",
    "count_params": "net.params.size",
    "zero_grad": "net.grads.flat = 0",
    "eval": "net.predict(x), where dropout does not act",
    **dict.fromkeys(("predict_on_batch", "predict_proba", "call", "apply"), "net.predict(x)"),
    "predict_generator": "[net.predict(x) for x in generator]",
    "predict_classes": "net.predict(x).argmax(axis=-1)",
    **dict.fromkeys(("float", "double", "half"), "net.astype('float64')"),
    **dict.fromkeys(
        ("to", "cuda", "cpu", "device"),
        "no device: throughtime runs on the processor; net.astype('float64') changes the dtype",
    ),
    "generate": "tt.generate(net, prefix, steps)",
    "get_layer": "net.layers",
    **dict.fromkeys(
        ("reset_states", "reset_state"),
        "tt.train(..., carry_state=True, reset=marks), or net.stream().reset() to predict",
    ),
    "get_config": "net.to_config()",
    **dict.fromkeys(("add", "append"), "tt.Network([...]) with all layers"),
    **dict.fromkeys(("modules", "children"), "net.layers"),
    **dict.fromkeys(("requires_grad_", "trainable"), "net.freeze(name)"),
}  # fmt: skip


def answer(names: Mapping[str, str], cls: type) -> None:
    """Give ``cls`` attributes that only say what to write instead of them.

    ``__getattr__`` would do the same with less code, but Python then looks up all attributes of the
    class in a slower way: a small prediction took a tenth longer.
    """
    for name, way in names.items():
        setattr(cls, name, _Answer(name, way))


class _Answer:
    """An attribute that can neither be read nor set."""

    def __init__(self, name: str, way: str) -> None:
        self.name, self.way = name, way

    def __get__(self, obj: object, owner: type) -> NoReturn:
        text = f"{owner.__name__!r} object has no attribute {self.name!r}"
        raise AttributeError(f"{text}; write {self.way}.")

    def __set__(self, obj: object, value: Any) -> NoReturn:
        self.__get__(obj, type(obj))


class AnswersOtherNames:
    """Base of a class whose objects say what to write instead of these names."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Refuse a call, which other libraries answer with an output."""
        raise InvalidTypeError(
            "a network is not called: write net.predict(x) for its output, or net.forward(x) for"
            " the output and the tape that net.backward needs."
        )

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in OTHER_NAMES]


answer(OTHER_NAMES, AnswersOtherNames)
