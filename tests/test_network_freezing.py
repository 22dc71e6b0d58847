"""Which parameters training moves, and weights that come from other networks."""

import copy
import pickle

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.layers import GRU, Add, Dense, Dropout, LayerNorm

X = np.random.default_rng(0).normal(size=(8, 5, 2)).astype("float32")
Y = X[:, -1, :1]


def network(**options):
    """A graph with an encoder of two layers, a layer that is called twice, and a head."""
    encoder = tt.Network([GRU(3, return_sequences=True), Dense(3)], n_features=2, name="encoder")
    a = tt.Input(2, name="a")
    h = encoder(a)
    core = GRU(3, return_sequences=True, name="core", lr_multiplier=0.5)
    h = Add()([h, core(core(h))])
    return tt.Network(inputs=a, outputs=Dense(1, name="head")(GRU(4)(h)), **options)


def moved(net, **options):
    """The owners whose parameters training has moved."""
    before = net.params.copy()
    tt.train(net, X, Y, epochs=2, batch_size=4, verbose=False, **options)
    return {
        name.partition(".")[0]
        for name in net.params
        if not np.array_equal(net.params[name], before[name])
    }


ALL = {"encoder/0", "encoder/1", "core", "3", "head"}


@pytest.mark.parametrize(
    ("frozen", "stay"),
    [
        (("encoder",), {"encoder/0", "encoder/1"}),
        (("encoder/1",), {"encoder/1"}),
        (("core", "head"), {"core", "head"}),
        ((0,), {"encoder/0", "encoder/1"}),
        ((3,), {"3"}),
        (("3",), {"3"}),
        ((), set()),
    ],
    ids=["network", "layer", "names", "number of a network", "number", "numeral", "nothing"],
)
def test_training_leaves_frozen_layers_as_they_are(frozen, stay):
    net = network()
    assert moved(net) == ALL
    assert net.freeze(*frozen) is net
    assert net.frozen == stay
    # Decay and momentum move parameters without a gradient.
    assert moved(net, optimizer=tt.optimizers.AdamW(1e-2), l2=1e-3) == ALL - stay
    assert net.unfreeze(*frozen) is net
    assert net.frozen == frozenset()
    assert moved(net) == ALL


def test_to_unfreeze_nothing_is_to_unfreeze_all():
    net = network().freeze("encoder", "head")
    assert net.unfreeze("encoder/0").frozen == {"encoder/1", "head"}
    assert net.unfreeze().frozen == frozenset()


def test_frozen_layers_have_gradients_all_the_same():
    free, net = network(dtype="float64"), network(dtype="float64").freeze("encoder", "head")
    for one in (free, net):
        y, tape = one.forward(X)
        one.backward(tape, np.ones_like(y))
    assert np.array_equal(net.grads.flat, free.grads.flat)
    assert net.grads["encoder/0.W_x"].any()


def test_the_rates_of_layers_are_by_owner():
    factors = network().freeze("head").lr_multipliers()
    net = network()
    for name, part in net.params.slices.items():
        owner = name.partition(".")[0]
        assert set(factors[part]) == {{"core": 0.5, "head": 0.0}.get(owner, 1.0)}
    assert tt.Network([GRU(2)], n_features=2).lr_multipliers() is None
    assert not tt.Network([GRU(2)], n_features=2).freeze(0).lr_multipliers().any()


def test_what_is_frozen_stays_so_in_copies_and_files(tmp_path):
    net = network().freeze("core", "encoder/0")
    net.save(tmp_path / "net.safetensors")
    for one in (
        net.copy(), net.astype("float64"), copy.deepcopy(net), pickle.loads(pickle.dumps(net)),
        tt.load(tmp_path / "net.safetensors"), tt.Network.from_config(net.to_config()),
    ):  # fmt: skip
        assert one.frozen == {"core", "encoder/0"}
        one.unfreeze()
    assert net.frozen == {"core", "encoder/0"}


def test_a_stack_is_frozen_by_numbers_and_names():
    net = tt.Network([GRU(3, name="memory"), Dropout(0.1), Dense(1)], n_features=2)
    assert net.freeze("memory").frozen == {"0"}
    assert net.freeze(2, 1).frozen == {"0", "1", "2"}
    assert moved(net) == set()


@pytest.mark.parametrize(
    ("layer", "got"), [("x", "'x'"), (5, "5"), (True, "True"), (None, "None"), ("enc", "'enc'")]
)
def test_a_layer_that_is_not_there_is_refused(layer, got):
    net = network()
    for act in (net.freeze, net.unfreeze):
        with pytest.raises(InvalidArgumentError) as caught:
            act("head", layer)
        assert str(caught.value) == (
            f"a layer must be one of 'encoder/0', 'encoder/1', 'core', '2', '3', 'head'; got {got}."
        )
        assert net.frozen == frozenset()


# -- weights of other networks ----------------------------------------------------------------


def test_what_fits_is_taken_over_and_the_rest_is_named(tmp_path):
    source = network(seed=1)
    a = tt.Input(2)
    h = GRU(3, return_sequences=True, name="core")(LayerNorm()(a))
    target = tt.Network(inputs=a, outputs=Dense(1, name="head")(h), seed=2)
    source.save(tmp_path / "source.safetensors")
    for given in (source, tmp_path / "source.safetensors", str(tmp_path / "source.safetensors"),
                  dict(source.params)):  # fmt: skip
        target.params.flat = 0.0
        matched = target.load_matching(given)
        assert matched.loaded == ("core.W_h", "core.b", "core.b_hn", "head.b")
        assert matched.kept == ("0.g", "0.b")
        assert matched.other_shape == ("core.W_x", "head.W")
        assert matched.unused == tuple(n for n in source.params if n not in target.params)
        for name in target.params:
            taken = np.array_equal(target.params[name], source.params.get(name))
            assert taken if name in matched.loaded else not target.params[name].any()
    assert str(matched).splitlines() == [
        "loaded: core.W_h, core.b, core.b_hn, head.b",
        "kept, because the source has none: 0.g, 0.b",
        "kept, because the source has another shape: core.W_x, head.W",
        f"not used: {', '.join(matched.unused)}",
    ]


def test_the_same_network_in_another_dtype_is_taken_over_whole():
    source, target = network(seed=1), network(seed=2, dtype="float64").freeze("head")
    matched = target.load_matching(source)
    assert matched.loaded == tuple(target.params)
    assert matched == type(matched)(tuple(target.params), (), (), ())
    assert str(matched) == f"loaded: {', '.join(target.params)}"
    assert np.array_equal(target.params.flat, source.params.flat)
    assert target.frozen == {"head"}  # the weights come, and nothing else
    target.params.flat = 0.0
    assert source.params.flat.any()


def test_a_message_about_a_stack_calls_layers_by_their_names():
    net = tt.Network([tt.layers.GRU(2, name="body"), tt.layers.Dense(1)], n_features=2)
    with pytest.raises(InvalidArgumentError) as caught:
        net.freeze("tail")
    assert str(caught.value) == "a layer must be one of 'body', '1'; got 'tail'."


def test_sources_that_do_not_fit_are_refused_and_change_nothing():
    net = network()
    before = net.params.flat.copy()
    with pytest.raises(InvalidArgumentError) as caught:
        net.load_matching({"x": np.zeros(3), "encoder/0.W_x": np.zeros(3)})
    assert str(caught.value) == (
        "source must hold an array with the name and the shape of a parameter of this network,"
        " such as 'encoder/0.W_x'; got x, encoder/0.W_x."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        net.load_matching({})
    assert str(caught.value) == (
        "source must hold an array with the name and the shape of a parameter of this network,"
        " such as 'encoder/0.W_x'; got none."
    )
    with pytest.raises(InvalidTypeError) as caught:
        net.load_matching(3)
    assert str(caught.value) == "source must be a path, a network, or a dict of arrays; got 3."
    others = {name: array + 1 for name, array in net.params.items()}
    with pytest.raises(DataError) as caught:
        net.load_matching(others | {"head.b": ["x"]})
    assert str(caught.value) == "source['head.b'] must hold numbers; got text."
    with pytest.raises(ShapeError) as caught:
        net.load_matching(others | {"head.b": [[1.0], [1.0, 2.0]]})
    assert str(caught.value).startswith("source['head.b'] must be")
    assert np.array_equal(net.params.flat, before)
