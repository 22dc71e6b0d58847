"""Every gradient against differences, on the hard cases of network_cases.py."""

import dataclasses

import numpy as np
import pytest
from network_cases import CASES, FUNCTIONS, leaves, noise

from throughtime.activations import ACTIVATIONS
from throughtime.layers import LAYERS

TOLERANCE = 1e-6
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)

#: Options that no gradient depends on: names, initialisers, and how weights are updated.
WITHOUT_GRADIENT = {
    "name", "initializer", "recurrent_initializer", "forget_bias", "lr_multiplier", "r_min",
    "r_max", "max_phase",
}  # fmt: skip
#: Options that the objective applies; test_gradients_losses.py has them.
OF_THE_OBJECTIVE = {"l1", "l2"}


def difference(value, array, index, h):
    """The derivative of ``value()`` by ``array[index]``, with an error of O(h^4)."""
    centre = array[index]

    def at(amount):
        array[index] = centre + amount
        result = value()
        array[index] = centre
        return result

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def largest_error(value, array, gradient):
    """The largest relative error of ``gradient`` against differences of ``value()``.

    The smaller steps are for a kink inside the first one; a wrong gradient disagrees with all.
    """
    scale = np.abs(gradient).max(initial=0.0)
    worst = 0.0
    for index in np.ndindex(array.shape):
        best = np.inf
        for h in STEPS:
            estimate = difference(value, array, index, h)
            floor = max(abs(gradient[index]), abs(estimate), 1e-3 * scale, 1e-6)
            best = min(best, abs(gradient[index] - estimate) / floor)
            if best < TOLERANCE / 100:
                break
        worst = max(worst, best)
    return worst


def error_along(value, array, gradient):
    """The relative error of ``gradient`` along a random direction: four evaluations in all."""
    direction = np.random.default_rng(11).normal(size=array.shape)
    centre, at = array.copy(), np.zeros(1)

    def moved():
        array[...] = centre + at * direction
        result = value()
        array[...] = centre
        return result

    return largest_error(moved, at, np.array([(gradient * direction).sum()]))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_gradient_of_a_random_functional(case):
    """L = <u, y> + <v, final state>: u and v are the gradients that come from above."""
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    rng = np.random.default_rng(3)
    y, tape = case.run(net, x, mask, states)
    u = rng.normal(size=y.shape)
    v = [noise(rng, final) for final in tape.final_state]

    def value():
        y, tape = case.run(net, x, mask, states, keep=False)
        finals = zip(leaves(v), leaves(tape.final_state), strict=True)
        return float((u * y).sum()) + sum(float((a * b).sum()) for a, b in finals)

    before = rng.normal(size=net.grads.size)  # backward ADDS
    net.grads.flat = before
    dx = net.backward(tape, u, v)
    net.grads.flat -= before
    errors = {name: largest_error(value, net.params[name], net.grads[name]) for name in net.params}
    if dx is not None:
        errors["x"] = largest_error(value, x, dx)
        assert mask is None or (dx[~mask] == 0).all()
    for i, state in enumerate(states):
        for k, (s, d) in enumerate(
            zip(leaves(state), leaves(tape.d_initial_state[i]), strict=bool(state))
        ):
            errors[f"state {i}, {k}"] = largest_error(value, s, d)
    assert max(errors.values(), default=0.0) < TOLERANCE, errors


def options_in_use():
    """(layer, option) for every option that some case sets to something of its own."""
    found = set()
    for case in CASES:
        for layer in case.layers:
            for f in dataclasses.fields(layer):
                registry = f.metadata.get("registry")
                default = f.default if registry is None else registry.get(f.default)
                if getattr(layer, f.name) != default:
                    found.add((type(layer).__name__, f.name))
    return found


def test_every_layer_and_option_is_in_the_suite():
    # Those that take several inputs are in test_layers_merging.py and test_layers_distance.py.
    alone = {name for name in LAYERS if LAYERS[name].sources[0] == 1}
    wanted = {
        (name, f.name)
        for name in alone
        for f in dataclasses.fields(LAYERS[name])
        if f.name not in WITHOUT_GRADIENT | OF_THE_OBJECTIVE
    }
    assert wanted <= options_in_use()
    assert alone == {type(layer).__name__ for case in CASES for layer in case.layers}


def test_every_activation_is_in_the_suite():
    assert set(ACTIVATIONS) <= FUNCTIONS.keys()
    places = {
        (type(layer).__name__, f.name)
        for case in CASES
        for layer in case.layers
        for f in dataclasses.fields(layer)
        if f.metadata.get("registry") is ACTIVATIONS
    }
    used = {
        (type(layer).__name__, f.name, getattr(layer, f.name))
        for case in CASES
        for layer in case.layers
        for f in dataclasses.fields(layer)
        if f.metadata.get("registry") is ACTIVATIONS
    }
    assert {(*place, f) for place in places for f in FUNCTIONS.values()} <= used
