"""TimeReverse, SliceSteps, Repeat and SliceFeatures: their steps, and what they refuse."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.layers import Repeat, SliceFeatures, SliceSteps, TimeReverse
from throughtime.layers.forms import Form, Steps

STARTS = [(0, None), (0, 3), (2, None), (2, 4), (0, -1), (1, -2), (-1, None), (-3, None), (-3, -1)]


def run(layer, lengths, steps=6):
    """Outputs of sequences 1, 2, 3 ... of these lengths, without their padding; the mask."""
    net = tt.Network([layer], n_features=1, dtype="float64")
    x = np.tile(np.arange(1.0, steps + 1)[:, None], (len(lengths), 1, 1))
    y, tape = net.forward(x, lengths)
    assert y.shape == net.output_shape(x.shape)
    mask = np.ones(y.shape[:2], dtype=bool) if tape.output_mask is None else tape.output_mask
    assert not y[~mask].any()
    return [row[own, 0].tolist() for row, own in zip(y, mask, strict=True)]


@pytest.mark.parametrize(("start", "stop"), STARTS)
def test_slices_are_those_of_python(start, stop):
    least = 6
    for length in range(1, 7):
        if SliceSteps(start, stop).steps_refusal(length) is None:
            least = min(least, length)
    lengths = [6, least, 5]
    want = [list(range(1, n + 1))[start:stop] for n in lengths]
    assert run(SliceSteps(start, stop), lengths) == want
    assert run(SliceSteps(start, stop), [6]) == want[:1]
    assert all(want)
    assert least == 1 or not list(range(least - 1))[start:stop]


@pytest.mark.parametrize(("start", "stop"), STARTS)
def test_a_sequence_without_a_step_left_is_refused(start, stop):
    layer = SliceSteps(start, stop)
    for length in range(1, 7):
        refusal = layer.steps_refusal(length)
        assert (refusal is None) == bool(list(range(length))[start:stop])
    net = tt.Network([SliceSteps(2, -1)], n_features=1)
    with pytest.raises(ShapeError) as caught:
        net.predict(np.ones((2, 6, 1)), [5, 3])
    assert str(caught.value) == (
        "layer 0 (SliceSteps) needs at least 4 steps in every sequence; got 3 in x[1]."
        " Leave shorter sequences out."
    )


def test_steps_of_the_output_are_known_where_those_of_the_input_are():
    form = Form("sequence", 2, Steps(5))
    assert SliceSteps(-2).output_form(form) == Form("sequence", 2, Steps(2))
    assert SliceSteps(7).output_form(form).steps == Steps(1)
    assert Repeat(3).output_form(form) == Form("sequence", 2, Steps(15))
    assert TimeReverse().output_form(form) == form
    unknown = Form("sequence", 2, Steps())
    assert Repeat(3).output_form(unknown).steps == Steps(changed=True)


def test_reversed_within_the_unmasked_steps():
    assert run(TimeReverse(), [3, 6, 0, 1]) == [[3, 2, 1], [6, 5, 4, 3, 2, 1], [], [1]]
    net = tt.Network([TimeReverse()], n_features=1)
    x = np.arange(1.0, 6.0).reshape(1, 5, 1)
    y = net.predict(x, mask=[[True, False, True, True, False]])
    assert y.ravel().tolist() == [4, 0, 3, 1, 0]


def test_a_reversed_recurrent_layer_is_one_between_two_reversals():
    rng = np.random.default_rng(0)
    x, lengths = rng.normal(size=(3, 5, 2)), [5, 2, 4]
    one = tt.Network([tt.layers.GRU(3, reverse=True, return_sequences=True)], 2, "float64")
    two = tt.Network(
        [TimeReverse(), tt.layers.GRU(3, return_sequences=True), TimeReverse()], 2, "float64"
    )
    two.params.flat = one.params.flat
    np.testing.assert_allclose(two.predict(x, lengths), one.predict(x, lengths), rtol=1e-13)


def test_repeated():
    assert run(Repeat(2), [3, 0]) == [[1, 1, 2, 2, 3, 3], []]
    assert run(Repeat(2), [6])[0] == sorted([*range(1, 7)] * 2)


@pytest.mark.parametrize(("start", "stop"), [(0, 2), (1, None), (-2, None), (0, -1), (-3, -1)])
def test_features(start, stop):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    net = tt.Network([SliceFeatures(start, stop)], n_features=4, dtype="float64")
    assert np.array_equal(net.predict(x), x[..., start:stop])
    net = tt.Network([tt.layers.LastStep(), SliceFeatures(start, stop)], 4, dtype="float64")
    assert np.array_equal(net.predict(x), x[:, -1, start:stop])


def test_features_that_do_not_exist_are_refused():
    layer = SliceFeatures(4, 9)
    assert layer.refusal((Form("vector", 4),)) == "there are no features 4:9 among 4."
    assert SliceFeatures(4).refusal((Form("vector", 3),)) == "there are no features 4: among 3."
    assert layer.refusal((Form("vector", 5),)) is None
    with pytest.raises(InvalidArgumentError) as caught:
        tt.Network([layer], n_features=2)
    assert str(caught.value) == "layer 0 (SliceFeatures): there are no features 4:9 among 2."


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SliceSteps(2, 2), InvalidArgumentError,
         "stop must be None or an integer above start=2, or below 0; got 2."),
        (lambda: SliceSteps(-2, 3), InvalidArgumentError,
         "stop must be None or an integer below 0 and above start=-2; got 3."),
        (lambda: SliceSteps(-2, -2), InvalidArgumentError,
         "stop must be None or an integer below 0 and above start=-2; got -2."),
        (lambda: SliceSteps(0.5), InvalidTypeError,
         "start must be an integer from -1048576 to 1048576; got 0.5."),
        (lambda: SliceSteps(0, "1"), InvalidTypeError,
         "stop must be an integer from -1048576 to 1048576; got '1'."),
        (lambda: SliceFeatures("a"), InvalidTypeError, "start must be an integer; got 'a'."),
        (lambda: SliceFeatures(0, 1.5), InvalidTypeError, "stop must be an integer; got 1.5."),
        (lambda: Repeat(0), InvalidArgumentError,
         "times must be an integer from 1 to 1048576; got 0."),
    ],
)  # fmt: skip
def test_options_are_checked(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == words
