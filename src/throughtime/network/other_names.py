"""What other libraries call the things that one does with a network, and what to write here."""

from __future__ import annotations

from typing import Any, NoReturn

from throughtime.errors import InvalidTypeError

#: Attribute of a network in another library -> what to write here.
OTHER_NAMES = {
    **dict.fromkeys(("fit", "train", "train_on_batch", "partial_fit"), "tt.train(net, x, y)"),
    "compile": "tt.train(net, x, y, loss=..., optimizer=...)",
    **dict.fromkeys(("evaluate", "score", "test_on_batch"), "tt.evaluate(net, x, y)"),
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
    "predict_classes": "net.predict(x).argmax(axis=-1)",
    **dict.fromkeys(("to", "float", "double", "half", "cuda", "cpu"), "net.astype('float64')"),
    "generate": "tt.generate(net, prefix, steps)",
    "get_layer": "net.layers",
    "reset_states": "net.stream().reset()",
    "get_config": "net.to_config()",
    **dict.fromkeys(("add", "append"), "tt.Network([...]) with all layers"),
    **dict.fromkeys(("modules", "children"), "net.layers"),
    **dict.fromkeys(("requires_grad_", "trainable"), "net.freeze(name)"),
}  # fmt: skip


class AnswersOtherNames:
    """Base of a class whose objects say what to write instead of these names.

    Each name is an attribute that raises. ``__getattr__`` would do the same with less code, but
    Python then looks up all attributes of the class in a slower way: a small prediction took a
    tenth longer.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Refuse a call, which other libraries answer with an output."""
        raise InvalidTypeError(
            "a network is not called: write net.predict(x) for its output, or net.forward(x) for"
            " the output and the tape that net.backward needs."
        )

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in OTHER_NAMES]


class _Answer:
    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, obj: object, owner: type) -> NoReturn:
        text = f"{owner.__name__!r} object has no attribute {self.name!r}"
        raise AttributeError(f"{text}; write {OTHER_NAMES[self.name]}.")


for _name in OTHER_NAMES:
    setattr(AnswersOtherNames, _name, _Answer(_name))
