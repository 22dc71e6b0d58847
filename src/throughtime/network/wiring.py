"""What fits together: the form of every signal of a plan, and the sentences about what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from throughtime.errors import InvalidArgumentError, check_int, describe, sentence
from throughtime.layers import Layer, Recurrent
from throughtime.layers.forms import Form, Steps
from throughtime.network.params import Params
from throughtime.network.plan import Plan, called, signals_of


class Wiring:
    """A checked plan. A layer that is called several times counts several times.

    Parameters
    ----------
    plan : Plan
        Who feeds whom.

    Attributes
    ----------
    plan : Plan
    layers : tuple of Layer
        The layer of each call.
    owners : list of str
        Owner of the parameters of each call, with which their names begin.
    input_forms : tuple of Form
        Form of each input of the network.
    before : list of Form, or of tuple of Form
        What each call takes; a tuple for a layer that takes several inputs.
    forms : list of Form
        Form of the output of each call.
    hands_state : list of bool
        Whether another call starts from the final state of this one.
    ends : tuple of int
        The call that gives each output.
    apart : tuple of bool
        Whether each output is nothing else: no layer takes it, and it is listed once.
    roots : tuple of frozenset of int
        The inputs that each output depends on.
    returns_state : int or None
        The call of a stack whose final state ``predict`` returns.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.layers = tuple(plan.units[call.unit].layer for call in plan.calls)
        self.owners = [plan.units[call.unit].owner for call in plan.calls]
        self.ends = tuple(s - len(plan.forms) for s in plan.signals)
        taken = {s for call in plan.calls for s in (*call.sources, *signals_of(call.state))}
        self.apart = tuple(s not in taken and plan.signals.count(s) == 1 for s in plan.signals)
        self.roots = self._roots()
        self._numbers: dict[str, int] = {}
        for i, owner in enumerate(self.owners):
            self._numbers.setdefault(owner, i)
        self._axes = list(range(len(plan.forms)))
        self._settle()
        self.hands_state = [False] * len(self.layers)
        self.returns_state: int | None = None
        self._hand_over()
        self._check_shared()

    def _roots(self) -> tuple[frozenset[int], ...]:
        inputs = len(self.plan.forms)
        found = [frozenset([k]) for k in range(inputs)]
        for call in self.plan.calls:
            handed = () if not isinstance(call.state, int) else (inputs + call.state,)
            sources = (*call.sources, *signals_of(call.state), *handed)
            found.append(frozenset().union(*(found[s] for s in sources)))
        return tuple(found[s] for s in self.plan.signals)

    def _settle(self) -> None:
        """Find all forms; inputs whose steps must be the same get one axis."""
        while True:
            self.input_forms = tuple(
                form if form.steps is None else replace(form, steps=self._own_steps(k, form.steps))
                for k, form in enumerate(self.plan.forms)
            )
            signals = list(self.input_forms)
            self.before: list[Any] = []
            for i, (layer, call) in enumerate(zip(self.layers, self.plan.calls, strict=True)):
                forms = tuple(signals[s] for s in call.sources)
                joined = self._check_sources(i, forms)
                if joined is not None:
                    low, high = sorted(joined)
                    self._axes = [low if axis == high else axis for axis in self._axes]
                    break
                before = forms if layer.several else forms[0]
                self.before.append(before)
                signals.append(output_form(layer, before))
            else:
                self.forms = signals[len(self.input_forms) :]
                return

    def _own_steps(self, k: int, steps: Steps) -> Steps:
        return steps if steps.count is not None else Steps(axis=self._axes[k])

    def _check_sources(self, i: int, forms: tuple[Form, ...]) -> tuple[int, int] | None:
        """Refuse what call ``i`` cannot take; return two axes that it makes one, if it does."""
        layer, call = self.layers[i], self.plan.calls[i]
        for form, source in zip(forms, call.sources, strict=True):
            if form.kind not in layer.takes:
                wanted = layer.takes[0] if layer.takes[0] == "tokens" else f"a {layer.takes[0]}"
                raise InvalidArgumentError(
                    f"{self.named(i)} needs {wanted}, and {self._called(source)} gives"
                    f" {form.kind if form.kind == 'tokens' else 'a ' + form.kind}."
                    f" {self._way_out(source, layer.takes[0])}"
                )
        if layer.several and layer.aligned:
            timed = [
                (s, f.steps)
                for s, f in zip(call.sources, forms, strict=True)
                if f.steps is not None
            ]
            for source, steps in timed[1:]:
                first = timed[0][1]
                if first.count is None and steps.count is None and first.axis != steps.axis:
                    return first.axis, steps.axis
                if not first.agrees(steps):
                    raise InvalidArgumentError(
                        f"{self.named(i)} needs inputs with the same steps: those of"
                        f" {self._called(timed[0][0])} are {first}, and those of"
                        f" {self._called(source)} are {steps}.{_fixed_steps(first, steps)}"
                    )
        refusal = layer.refusal(forms)
        if refusal is not None:
            raise InvalidArgumentError(f"{self.named(i)}: {refusal}")
        return None

    def _hand_over(self) -> None:
        plan = self.plan
        for j, call in enumerate(plan.calls):
            if call.state is None:
                continue
            consumer = self.layers[j]
            assert isinstance(consumer, Recurrent)  # no other layer takes an initial state
            if isinstance(call.state, tuple):
                self._check_vectors(j, consumer, call.state)
                continue
            layer = self.layers[call.state]
            assert isinstance(layer, Recurrent)
            if _state_form(layer) != _state_form(consumer):
                raise InvalidArgumentError(
                    f"{self.named(call.state)} hands its state to {self.named(j)},"
                    " which must have the same units, states and directions. Make them equal"
                    + (f", or set return_state=False in layer {call.state}." if plan.stack else ".")
                )
            self.hands_state[call.state] = True
        if plan.stack:
            recurrent = [i for i, layer in enumerate(self.layers) if isinstance(layer, Recurrent)]
            last = self.layers[recurrent[-1]] if recurrent else None
            if isinstance(last, Recurrent) and last.return_state:
                self.returns_state = recurrent[-1]

    def _check_vectors(self, j: int, layer: Recurrent, sources: tuple[int, ...]) -> None:
        forms = [self._form(s) for s in sources]
        widths = {name: layer.state_widths[name] for name in layer.cell.states}
        found = [f.features for f in forms if f.kind == "vector"]
        if layer.bidirectional or len(found) != len(forms) or found != list(widths.values()):
            names, numbers = ", ".join(widths), ", ".join(map(str, widths.values()))
            same = len({*widths.values()}) == 1
            sizes = f"{layer.state_units} features each" if same else f"({numbers}) features"
            raise InvalidArgumentError(
                f"{self.named(j)} needs an initial_state of vectors ({names}) of {sizes};"
                f" got {' and '.join(map(str, forms))}."
                + (" A bidirectional layer takes a state only." if layer.bidirectional else "")
            )

    def _form(self, signal: int) -> Form:
        inputs = len(self.input_forms)
        return self.input_forms[signal] if signal < inputs else self.forms[signal - inputs]

    def _check_shared(self) -> None:
        """Refuse a layer whose calls would need parameters of different shapes."""
        for i, (layer, owner) in enumerate(zip(self.layers, self.owners, strict=True)):
            first = self._numbers[owner]
            if first != i and layer.param_shapes(self.before[i]) != layer.param_shapes(
                self.before[first]
            ):
                raise InvalidArgumentError(
                    f"{self.named(first)} shares its parameters between inputs of the forms"
                    f" {_shown(self.before[first])} and {_shown(self.before[i])}, which need"
                    " different shapes. Make one layer for each."
                )

    def _way_out(self, source: int, wanted: str) -> str:
        """The way out where a layer needs ``wanted``, and gets something else from ``source``."""
        inputs = len(self.plan.forms)
        if wanted == "tokens":
            if self.plan.stack:
                return "An Embedding must be the first layer."
            return "Write tt.Input(tokens=True)."
        if source < inputs:
            vector = "A RepeatVector makes a sequence of a vector."
            if wanted == "vector":
                return (
                    "Write tt.Input(..., time=False), or put a recurrent or pooling layer between."
                )
            tokens = self.plan.forms[source].kind == "tokens"
            return "Put an Embedding between." if tokens else vector
        if wanted == "vector":
            return (
                "Let the recurrent layer before it have return_sequences=False, or put a pooling"
                " layer between."
            )
        maker = source - inputs  # the layer that made the vector
        while True:
            before = self.plan.calls[maker].sources[0]
            if before < inputs or self.layers[maker].several:
                break
            found = self.before[maker]
            if found.kind != "vector":
                break
            maker = before - inputs
        if isinstance(self.layers[maker], Recurrent):
            return (
                f"Set return_sequences=True in layer {self.owners[maker]}, or put a RepeatVector"
                " between."
            )
        return "Put a RepeatVector between."

    # -- names --------------------------------------------------------------------------------

    def named(self, i: int) -> str:
        """The layer of call ``i`` in words: ``"layer 0 (GRU)"``, or by its name."""
        owner = self.owners[i]
        words = f"layer {owner if self.layers[i].name is None or self.plan.stack else repr(owner)}"
        again = self.owners[:i].count(owner)
        return f"{words} ({self.layers[i].kind}{f', call {again + 1}' if again else ''})"

    def _called(self, signal: int) -> str:
        """A signal in words: the layer that gives it, or the input."""
        inputs = len(self.plan.forms)
        if signal >= inputs:
            return self.named(signal - inputs)
        return "the input" if inputs == 1 else f"input {self.plan.inputs.names[signal]!r}"

    def label(self, signal: int) -> str:
        """A short name of a signal: the owner of the layer that gives it, or that of the input.

        Of an input without a name, or with that of a layer, it begins with ``input``.
        """
        i = signal - len(self.plan.forms)
        if i < 0:
            names = self.plan.inputs.names
            if len(names) == 1 and names[0] == "0":
                return "input"
            name = names[signal]
            return f"input {name}" if name.isdecimal() or name in self._numbers else name
        again = self.owners[:i].count(self.owners[i])
        return f"{self.owners[i]} (call {again + 1})" if again else self.owners[i]

    def find(self, key: Any) -> int | None:
        """The first call of the layer with a name, an owner, or the number of a call."""
        if isinstance(key, str):
            named = {layer.name: i for i, layer in reversed([*enumerate(self.layers)])}
            return self._numbers.get(key, named.get(key))
        return key if 0 <= key < len(self.layers) else None

    def number(self, argument: str, key: Any) -> int:
        """The number of a call that ``key`` means, or raise.

        ``key`` is that number, or the name of a layer, which means its first call.
        """
        if not isinstance(key, str):
            return check_int(argument, key, 0, len(self.layers) - 1)
        found = self.find(key)
        if found is None:
            names = (called(owner, self.layers[i]) for owner, i in self._numbers.items())
            known = ", ".join(map(repr, names))
            raise InvalidArgumentError(sentence(argument, f"one of {known}", describe(key)))
        return found

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter of the network."""
        return {
            f"{owner}.{name}": shape
            for i, owner in enumerate(self.owners)
            if self._numbers[owner] == i
            for name, shape in self.layers[i].param_shapes(self.before[i]).items()
        }

    def layer_of(self, name: str) -> int:
        """The first call of the layer that owns the parameter ``name``."""
        return self._numbers[Params.owner(name)]


def _shown(forms: Any) -> str:
    return " and ".join(map(str, forms)) if isinstance(forms, tuple) else str(forms)


def output_form(layer: Layer, form: Any) -> Form:
    """Form of the output of ``layer``, also of a user-defined layer written for version 0.1.

    Such a layer says by ``output_steps`` how many steps its output has, and its forms have none.
    """
    after = layer.output_form(form)
    if after.kind == "vector":
        return replace(after, steps=None)
    if layer.several:
        return after
    if type(layer).output_steps is not Layer.output_steps:
        return replace(after, steps=_steps_by_number(layer, form.steps))
    return after if after.steps is not None else replace(after, steps=form.steps)


def _steps_by_number(layer: Layer, steps: Steps | None) -> Steps | None:
    """What ``layer.output_steps`` makes of a number, or of two large ones where none is known."""
    if steps is None or steps.count is not None:
        count = layer.output_steps(None if steps is None else steps.count)
        return None if count is None else Steps(int(count))
    numbers = 2**30, 2**31
    one, two = (layer.output_steps(number) for number in numbers)
    if one == two:
        return None if one is None else Steps(int(one))
    return steps if (one, two) == numbers else Steps(changed=True)


def _state_form(layer: Recurrent) -> tuple[Any, ...]:
    return tuple(layer.state_widths.items()), layer.bidirectional


def _fixed_steps(a: Steps, b: Steps) -> str:
    """The way out where one number of steps is known and the other is that of an input."""
    known = [one.count for one in (a, b) if one.count is not None]
    if len(known) != 1 or a.changed or b.changed:
        return ""
    return f" If an input always has so many, write tt.Input(..., steps={known[0]})."
