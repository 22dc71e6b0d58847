"""The passes through graphs: outputs, gradients, and what must not change them."""

import copy
import pickle
from collections import Counter

import numpy as np
import pytest
from drawn_graphs import ONE, OTHERS
from graph_cases import CASES, DRAWN, joined, naive_outputs
from network_cases import leaves
from test_gradients import TOLERANCE, largest_error

import throughtime as tt
from throughtime import engines
from throughtime.layers import GRU, LAYERS, Add, Dense
from throughtime.network.signals import each

ALL = [*CASES, *DRAWN]
CLOSE = {"rtol": 1e-11, "atol": 1e-12}


def test_the_worked_example_of_the_mathematics():
    """docs/math/graph.md, (GR5): y = (1 + w)^2 x."""
    x, layer = tt.Input(1, time=False), Dense(1, use_bias=False)
    h = Add()([x, layer(x)])
    net = tt.Network(inputs=x, outputs=Add()([h, layer(h)]), dtype="float64")
    net.params.flat = 0.5
    y, tape = net.forward([[1.0]])
    assert y == 9 / 4
    assert net.backward(tape, [[1.0]]) == 9 / 4
    assert net.grads.flat == 3


def test_each_input_has_its_own_mask():
    """Two inputs of as many steps, and one layer: as the layer alone on each."""
    a, b = tt.Input(2, name="a"), tt.Input(2, name="b")
    layer = GRU(3)
    net = tt.Network(inputs=[a, b], outputs=[layer(a), layer(b)], dtype="float64")
    alone = tt.Network([layer], n_features=2, dtype="float64")
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2, 4, 5, 2)), rng.random((2, 4, 5)) < 0.6
    y, tape = net.forward(list(x), mask=list(mask))
    dy = rng.normal(size=(2, 4, 3))
    dx = net.backward(tape, list(dy))
    for k in range(2):
        want, own = alone.forward(x[k], mask=mask[k])
        assert np.array_equal(y[k], want)
        np.testing.assert_allclose(dx[k], alone.backward(own, dy[k]), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(net.grads.flat, alone.grads.flat, rtol=1e-12, atol=1e-13)


def test_a_given_state_replaces_the_one_of_the_graph_and_its_gradient_ends_there():
    a, b, v = tt.Input(2, name="a"), tt.Input(2, name="b"), tt.Input(3, time=False, name="v")
    h, state = GRU(3, return_state=True)(a)
    ends = [GRU(3)(b, initial_state=state), GRU(3)(b, initial_state=v), h]
    net = tt.Network(inputs=[a, b, v], outputs=ends, dtype="float64")
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3))]
    given = rng.normal(size=(4, 3))
    y, tape = net.forward(x, initial_state={1: given, 2: (given,)})
    other, _ = net.forward([2 * x[0], x[1], 2 * x[2]], initial_state={"1": given, "2": given})
    for k in range(2):
        assert np.array_equal(y[k], other[k])
        assert not np.array_equal(y[k], net.predict(x)[k])
    dy = [rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), None]
    dx = net.backward(tape, dy)
    assert dx[0] is None  # nothing comes back to it
    assert dx[2] is None
    assert not net.grads["0.W_h"].any()
    for i in (1, 2):
        assert tape.d_initial_state[i][0].any()


def test_every_layer_and_every_kind_of_graph_is_in_the_suite():
    assert set(LAYERS) == {*ONE, *OTHERS}
    nets = [case.network() for case in ALL]
    assert set(LAYERS) == {layer.kind for net in nets for layer in net.layers}
    nets = [case.network() for case in DRAWN]
    plans = [net.plan for net in nets]
    takers = [Counter(s for call in plan.calls for s in call.sources) for plan in plans]
    found = {
        "shared layers": sum(len(plan.calls) > len(plan.units) for plan in plans),
        "branches": sum(max(counts.values()) > 1 for counts in takers),
        "given states": sum(isinstance(c.state, int) for plan in plans for c in plan.calls),
        "made states": sum(isinstance(c.state, tuple) for plan in plans for c in plan.calls),
        "several outputs": sum(len(plan.signals) > 1 for plan in plans),
        "outputs with takers": sum(
            any(counts[s] for s in plan.signals)
            for plan, counts in zip(plans, takers, strict=True)
        ),
        "networks": sum(any("/" in unit.owner for unit in plan.units) for plan in plans),
        "inputs with the same steps": sum(
            len({f.steps.axis for f in net.topology.input_forms if f.steps}) < len(net.plan.forms)
            for net in nets
        ),
    }  # fmt: skip
    assert min(found.values()) >= 2, found


def functional(problem, u, v):
    """L = <u, y> + <v, final states>, as a function of all arrays."""

    def value():
        y, tape = problem.run(keep=False)
        total = sum(float((a * b).sum()) for a, b in zip(u, y, strict=True))
        pairs = zip(leaves(v), leaves(tape.final_state), strict=True)
        return total + sum(float((a * b).sum()) for a, b in pairs)

    return value


def error(value, array, gradient, rng, mask=None):
    """The largest relative error of ``gradient`` in a random direction, and of a few numbers.

    Masked steps stay as they are: layers rely on the zeros there.
    """
    directions = [rng.normal(size=array.shape)]
    for flat in rng.choice(array.size, min(array.size, 3), replace=False):
        directions.append(np.zeros(array.shape))
        directions[-1].flat[flat] = 1.0
    if mask is not None:
        for direction in directions:
            direction[~mask] = 0.0
    centre, along = array.copy(), np.zeros(len(directions))

    def moved():
        array[...] = centre + sum(a * d for a, d in zip(along, directions, strict=True))
        result = value()
        array[...] = centre
        return result

    slopes = np.array([(gradient * direction).sum() for direction in directions])
    return largest_error(moved, along, slopes)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_gradients_equal_differences(case):
    problem = case.problem()
    rng = np.random.default_rng(5)
    y, tape = problem.run()
    u, v = problem.slopes(y, tape)
    value = functional(problem, u, v)
    before = rng.normal(size=problem.net.grads.size)  # backward ADDS
    problem.net.grads.flat = before
    dx = problem.back(tape, u, v)
    problem.net.grads.flat -= before
    net, x, masks = problem.net, each(problem.x), each(problem.mask)
    errors = {name: error(value, net.params[name], net.grads[name], rng) for name in net.params}
    for name, array, slope, mask in zip(net.plan.inputs.names, x, dx, masks, strict=True):
        if array.dtype.kind == "i":
            assert slope is None
            continue
        errors[f"x {name}"] = error(value, array, slope, rng, mask)
        assert mask is None or not slope[~mask].any()
    for i, state in enumerate(problem.states):
        for s, d in zip(
            leaves(state), leaves(tape.d_initial_state[i]) if state else (), strict=True
        ):
            errors[f"state {i}"] = error(value, s, d, rng)
    assert max(errors.values(), default=0.0) < TOLERANCE, errors


@pytest.mark.parametrize("case", [case for case in ALL if not case.training], ids=str)
def test_outputs_equal_the_naive_evaluation(case):
    problem = case.problem()
    y, tape = problem.run()
    outputs, finals = naive_outputs(problem)
    for a, b in zip(y, outputs, strict=True):
        np.testing.assert_allclose(a, b, **CLOSE)
    for i, final in enumerate(tape.final_state):
        for a, b in zip(leaves(final), joined(finals, i), strict=True):
            np.testing.assert_allclose(a, b, **CLOSE)


def answers(problem, seed=3):
    """The outputs, final states, dL/dx and the gradient of the parameters, as arrays."""
    problem.net.grads.flat = 0.0
    y, tape = problem.run()
    u, v = problem.slopes(y, tape, seed)
    dx = problem.back(tape, u, v)
    grads = problem.net.grads.flat.copy()
    return [*y, *leaves(tape.final_state), *leaves([one for one in dx if one is not None])], grads


@pytest.mark.parametrize("case", ALL, ids=str)
def test_run_twice_gradients_add_and_nothing_is_changed(case):
    problem = case.problem()
    y, tape = problem.run()
    u, v = problem.slopes(y, tape)
    given = [problem.x, u, v, problem.states, tape.outputs, problem.net.params.flat]
    kept = copy.deepcopy(given)
    first = problem.back(tape, u, v)
    once = problem.net.grads.flat.copy()
    second = problem.back(tape, u, v)
    np.testing.assert_allclose(problem.net.grads.flat, 2 * once, rtol=1e-13, atol=1e-13)
    for a, b in zip(leaves(first), leaves(second), strict=True):
        assert np.array_equal(a, b)
    for a, b in zip(leaves(given), leaves(kept), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_the_gradient_of_the_input_alone_is_optional(case):
    """Without dL/dx, and without the gradient of an output, the others are the same."""
    problem = case.problem()
    y, tape = problem.run()
    u, v = problem.slopes(y, tape)
    problem.back(tape, u, v)
    whole = problem.net.grads.flat.copy()
    problem.net.grads.flat = 0.0
    slopes = u if len(u) > 1 else u[0]
    assert problem.net.backward(tape, slopes, v, input_gradient=False) is None
    assert np.array_equal(problem.net.grads.flat, whole)
    if len(u) == 1:
        return
    parts = np.zeros_like(whole)
    for k in range(len(u)):
        problem.net.grads.flat = 0.0
        only = [one if i == k else None for i, one in enumerate(u)]
        problem.net.backward(tape, only, None)
        parts += problem.net.grads.flat
    problem.net.grads.flat = 0.0
    problem.net.backward(tape, u, None)
    np.testing.assert_allclose(problem.net.grads.flat, parts, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_copies_and_files_are_the_same_network(case, tmp_path):
    problem = case.problem()
    want, grads = answers(problem)
    net = problem.net
    net.save(tmp_path / "net.safetensors")
    copies = [net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    for other in [*copies, tt.load(tmp_path / "net.safetensors")]:
        assert other.plan == net.plan
        assert other.to_config() == net.to_config()
        assert np.array_equal(other.params.flat, net.params.flat)
        problem.net = other
        got, own = answers(problem)
        for a, b in zip([*got, own], [*want, grads], strict=True):
            assert np.array_equal(a, b)
        other.params.flat = 0.0  # its parameters are its own
    assert np.array_equal(answers(case.problem())[1], grads)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_shapes_are_known_before_the_pass(case):
    problem = case.problem()
    y, _ = problem.run()
    net = problem.net
    x = each(problem.x)
    shapes = {name: one.shape for name, one in zip(net.plan.inputs.names, x, strict=True)}
    found = net.output_shape(shapes if len(x) > 1 else x[0].shape)
    found = list(found.values()) if isinstance(found, dict) else found
    assert (found if len(y) > 1 or isinstance(found, list) else [found]) == [a.shape for a in y]
    assert str(net).count("\n") >= len(net.layers)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_engines_agree(case):
    with engines.engine("reference"):
        want, grads = answers(case.problem())
    got, own = answers(case.problem())
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(own, grads, rtol=1e-10, atol=1e-11)
