"""Networks of every form for the tests of drawings, and functions that read labels."""

import functools
import itertools
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace

import throughtime as tt
from throughtime.activations import Custom
from throughtime.cells import Cell
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Add,
    AdditiveAttention,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LastStep,
    Layer,
    LayerNorm,
    MaxPool,
    MaxPool1D,
    MeanPool,
    MultiHeadAttention,
    Recurrent,
    RepeatVector,
)
from throughtime.layers.forms import Form
from throughtime.network import Network

SVG = "{http://www.w3.org/2000/svg}"
WIDE = 700.0
SMALLEST = 11.0


@dataclass(frozen=True)
class Mixer(Layer):
    """A user-defined layer, of which drawings know nothing."""

    size: int

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        return {"mix<&>": (self.size, form.features)}


@dataclass(frozen=True)
class Halver(Layer):
    """A user-defined layer that changes the number of steps."""

    def output_form(self, form: Form) -> Form:
        steps = form.steps and form.steps.after(lambda count: count // 2)
        return replace(form, steps=steps)


@dataclass(frozen=True)
class Leak(Cell):
    """A user-defined cell, of which drawings know only the names of the states."""

    gates = ("v", "w")
    states = ("h", "m")


@dataclass(frozen=True)
class Leaky(Recurrent):
    @property
    def cell(self):
        return Leak()


def own_activation(x):
    return x


ZOO = {
    "lstm, every option": (
        [
            LSTM(
                12,
                layer_norm=True,
                peepholes=True,
                proj_size=5,
                cell_clip=2.0,
                hidden_clip=0.5,
                zoneout=0.1,
                cell_zoneout=0.05,
                time_bias=True,
                return_sequences=True,
            ),
            Dense(1),
        ],
        3,
    ),
    "lstm, coupled": ([LSTM(8, coupled_gates=True, peepholes=True, layer_norm=True)], 3),
    "lstm, coupled, both ways": ([LSTM(8, coupled_gates=True, proj_size=3, bidirectional=True)], 3),
    "gru, normalised": ([GRU(8, layer_norm=True, zoneout=0.2, return_sequences=True)], 2),
    "cho's gru, normalised": ([GRU(8, layer_norm=True, reset_after=False), Dense(2)], 2),
    "rnn, normalised": ([RNN(8, layer_norm=True, reverse=True), Dense(2)], 2),
    "rnn, clipped": ([RNN(8, hidden_clip=0.5, return_sequences=True)], 2),
    "rnn": ([RNN(16, return_sequences=True), Dense(1)], 3),
    "gru, many to one": ([GRU(16), Dense(1)], 3),
    "lstm": ([LSTM(16, return_sequences=True), Dense(1)], 3),
    "recurrent alone": ([RNN(1)], 1),
    "wide stack": (
        [
            LSTM(500, return_sequences=True, dropout=0.2, recurrent_dropout=0.1),
            LSTM(64, return_sequences=True, activation="relu"),
            Dropout(0.1),
            Dense(10, activation="softmax"),
        ],
        28,
    ),
    "deep": ([GRU(8, return_sequences=True, time_bias=True) for _ in range(13)], 2),
    "bidirectional": (
        [
            Embedding(1000, 32),
            GRU(
                24,
                bidirectional=True,
                return_sequences=True,
                learn_initial_state=True,
                time_bias=True,
            ),
            Dense(2),
        ],
        None,
    ),
    "bidirectional, last": ([LSTM(24, bidirectional=True, time_bias=True), Dense(2)], 5),
    "encoder and decoder": (
        [
            LSTM(16, return_state=True),
            RepeatVector(12),
            LSTM(16, return_sequences=True),
            Dense(1),
        ],
        2,
    ),
    "bidirectional hand-over": (
        [
            GRU(16, return_state=True, bidirectional=True, return_sequences=True),
            GRU(16, bidirectional=True, return_sequences=True),
            Dense(1),
        ],
        2,
    ),
    "reverse": (
        [
            RNN(8, reverse=True, return_sequences=True, time_bias=True),
            LSTM(8, reverse=True, return_state=True),
            Dense(1),
        ],
        2,
    ),
    "time bias": (
        [
            RNN(7, time_bias=True, learn_initial_state=True, return_sequences=True),
            RNN(5, time_bias=True, return_sequences=True, use_bias=False),
            Dense(2, use_bias=False),
        ],
        5,
    ),
    "cho's gru": ([GRU(5, reset_after=False, return_state=True), Dense(2)], 2),
    "mean": ([GRU(8, return_sequences=True), MeanPool(), Dense(3)], 2),
    "max": ([GRU(8, return_sequences=True), MaxPool()], 2),
    "last step": ([GRU(8, return_sequences=True), LastStep(), Dense(3)], 2),
    "feed-forward": ([Dense(8, activation="relu"), Dense(500), Dense(1)], 4),
    "one to many": ([Dense(8), RepeatVector(3), RNN(5, return_sequences=True), Dense(1)], 4),
    "unknown": ([Mixer(4), RNN(3, return_sequences=True), Halver(), Mixer(2)], 3),
    "convolution": (
        [
            Conv1D(8, kernel_size=3, padding="causal"),
            MaxPool1D(2),
            GRU(4, return_sequences=True),
            Dense(1),
        ],
        3,
    ),
    "flat": ([Conv1D(4, kernel_size=2, padding="same"), Flatten(6), Dense(1)], 2),
    "own cell": ([Leaky(4, return_sequences=True, time_bias=True), Dense(1)], 2),
    "lstm, time bias": ([LSTM(4, return_sequences=True, time_bias=True), LSTM(4)], 2),
    "own activation": ([RNN(3, activation=Custom(own_activation)), Dense(1)], 3),
}


@functools.cache
def network(name):
    layers, features = ZOO[name]
    return Network(layers, features)


def labels(svg):
    """The elements of all labels, without halos."""
    elements = ET.fromstring(svg).iter(f"{SVG}text")
    return [text for text in elements if text.get("aria-hidden") != "true"]


def texts(svg):
    return ["".join(text.itertext()) for text in labels(svg)]


def names(svg):
    """The labels as typed text: formulas with underscores."""
    return [text.get("data-name") or "".join(text.itertext()) for text in labels(svg)]


def pieces(text):
    """The text of an element with the size of each piece."""
    size = float(text.get("font-size"))
    yield text.text or "", size
    for child in text:
        yield child.text or "", float(child.get("font-size", size))


def box_of(text):
    """An estimate of where a label stands: left, top, right, bottom."""
    size, x, y = (float(text.get(key)) for key in ("font-size", "x", "y"))
    narrow, broad = set("ijl.,:;|'()[]/!frtI- "), set("mwMWQO@%")
    em = dict.fromkeys(narrow, 0.34) | dict.fromkeys(broad, 0.9)
    code = "mono" in text.get("font-family", "")
    width = sum(s * (0.6 if code else em.get(c, 0.6)) for part, s in pieces(text) for c in part)
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "start")]
    return left, y - 0.72 * size, left + width, y + 0.05 * size


def overlap(one, two):
    left, top = max(one[0], two[0]), max(one[1], two[1])
    right, bottom = min(one[2], two[2]), min(one[3], two[3])
    return min(right - left, bottom - top)


def check_readable(what, picture):
    """Check that labels are large enough, inside of the picture, and not over each other."""
    root = ET.fromstring(picture.svg)
    *corner, width, height = map(float, root.get("viewBox").split())
    assert (*corner, width) == (0, 0, WIDE)
    elements = labels(picture.svg)
    boxes = [box_of(text) for text in elements]
    words = ["".join(text.itertext()) for text in elements]
    sizes = [min(size for _, size in pieces(text)) for text in elements]
    assert [w for w, s in zip(words, sizes, strict=True) if s < SMALLEST] == [], what
    outside = [
        (word, box)
        for word, box in zip(words, boxes, strict=True)
        if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height
    ]
    assert outside == [], what
    pairs = itertools.combinations(zip(words, boxes, strict=True), 2)
    over = [(a, b) for (a, one), (b, two) in pairs if overlap(one, two) > 1.0]
    assert over == [], what


# -- graphs -------------------------------------------------------------------------------------


def two_inputs():
    signal, static = tt.Input(3, name="signal"), tt.Input(5, name="static", time=False)
    z = Concatenate()([GRU(32, name="reader")(signal), static])
    z = Dense(16, activation="relu")(z)
    outputs = {"price": Dense(1)(z), "kind": Dense(4, activation="softmax")(z)}
    return Network(inputs=[signal, static], outputs=outputs)


def siamese():
    left, right = tt.Input(6, name="left"), tt.Input(6, name="right")
    encoder = LSTM(32, name="encoder")
    z = Concatenate()([encoder(left), encoder(right)])
    return Network(inputs=[left, right], outputs=Dense(1, activation="sigmoid")(z))


def translator():
    source, target = tt.Input(tokens=True, name="source"), tt.Input(tokens=True, name="target")
    x, y = Embedding(1000, 32)(source), Embedding(1200, 32)(target)
    _, state = LSTM(64, return_state=True, name="encoder")(x)
    h = LSTM(64, return_sequences=True, name="decoder")(y, initial_state=state)
    words = Dense(1200, activation="softmax", name="words")(h)
    return Network(inputs=[source, target], outputs=words)


def residual():
    x = tt.Input(8)
    h = Dense(16)(x)
    for _ in range(3):
        h = Add()([h, GRU(16, return_sequences=True)(h)])
    return Network(inputs=x, outputs=Dense(3, activation="softmax")(MeanPool()(h)))


def everything():
    x, s = tt.Input(4, name="x"), tt.Input(3, name="s", time=False)
    both = LSTM(16, bidirectional=True, return_sequences=True, name="both")(x)
    down = GRU(16, reverse=True, name="down")(x)
    pooled = MeanPool()(both)
    start = Dense(16, name="start")(s)
    steps = RNN(16, name="steps", time_bias=True, return_sequences=True)
    z = Concatenate()([down, MaxPool()(Conv1D(8, 3, padding="causal")(x)), pooled])
    outputs = {"class": Dense(3)(z), "each": Dense(2)(steps(x, initial_state=start))}
    return Network(inputs=[x, s], outputs=outputs | {"pooled": pooled})


def deep():
    past, future = tt.Input(5, name="past"), tt.Input(2, name="future")
    options = {"return_sequences": True}
    one, first = GRU(32, return_state=True, **options)(past)
    _, second = GRU(32, return_state=True, **options)(one)
    h = GRU(32, **options)(future, initial_state=first)
    h = GRU(32, **options)(h, initial_state=second)
    heads = [Dense(1, name="mean")(h), Dense(1, activation="softplus", name="spread")(h)]
    return Network(inputs=[past, future], outputs=heads)


def fork():
    """A state that two layers start from, one of them both ways; a layer used in series."""
    x = tt.Input(2, name="x")
    own = {"bidirectional": True, "return_sequences": True}
    h, state = LSTM(4, return_state=True, **own)(x)
    y = LSTM(4, **own)(h, initial_state=state)
    z, last = GRU(2, return_state=True, reverse=True)(x)
    repeat = RepeatVector(3)(z)
    same = GRU(2, return_sequences=True, reverse=True, learn_initial_state=True, name="same")
    a = same(same(repeat), initial_state=last)
    b = GRU(2, reverse=True)(repeat, initial_state=last)
    return Network(inputs=x, outputs=[y, a, b])


def unknown():
    """Layers of which drawings know nothing, a long name, and an output that is given twice."""
    x = tt.Input(3)
    h = Halver()(Mixer(4, name="a mixer with a name of many words, more than fit")(x))
    h = Leaky(4, return_sequences=True)(h)
    return Network(inputs=x, outputs=[h, LastStep()(h), h])


def attentive():
    source, target = tt.Input(8, name="source"), tt.Input(8, name="target")
    h, state = GRU(64, return_sequences=True, return_state=True, name="encoder")(source)
    d = GRU(64, return_sequences=True, name="decoder")(target, initial_state=state)
    context = AdditiveAttention(32, name="look")([d, h])
    return Network(inputs=[source, target], outputs=Dense(5)(Concatenate()([d, context])))


def transformer():
    x = tt.Input(16)
    h = Add()([x, MultiHeadAttention(4, causal=True)(LayerNorm()(x))])
    h = Add()([h, Dense(16)(Dense(32, activation="relu")(LayerNorm()(h)))])
    return Network(inputs=x, outputs=h)


def looking():
    """A query that is a vector, keys apart from the values, and attention that nothing follows."""
    q, v, k = tt.Input(8, time=False, name="q"), tt.Input(4, name="v"), tt.Input(6, name="k")
    pooled = AdditiveAttention(4, name="pool")([q, v])
    three = MultiHeadAttention(2, name="three")([v, v, k])
    return Network(inputs=[v, q, k], outputs=[Dense(3)(pooled), three])


GRAPHS = {
    f.__name__: f
    for f in (
        two_inputs,
        siamese,
        translator,
        residual,
        everything,
        deep,
        fork,
        unknown,
        attentive,
        transformer,
        looking,
    )
}


@functools.cache
def graph(name):
    return GRAPHS[name]()
