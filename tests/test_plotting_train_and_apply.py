"""Figures of graphs that are trained or applied."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError
from throughtime.layers import GRU, Concatenate, Dense
from throughtime.plotting import apply_and_plot, train_and_plot

ROWS, STEPS = 2, 20


def network(*, two=False):
    static, x = tt.Input(2, name="s", time=False), tt.Input(1, name="x")
    h = GRU(4, return_sequences=True)(x)
    outputs = {"y": Dense(1)(Concatenate()([h, static]))}
    return tt.Network(inputs=[static, x], outputs=outputs | ({"z": Dense(1)(h)} if two else {}))


def data():
    x = np.linspace(0, 1, STEPS).reshape(1, STEPS, 1).repeat(ROWS, axis=0)
    return {"s": np.ones((ROWS, 2)), "x": x}, np.sin(x)


@pytest.mark.parametrize("named", [False, True])
def test_a_graph_is_trained_and_drawn_over_the_input_with_its_steps(named):
    net, (x, y) = network(), data()
    trained = train_and_plot(net, x, {"y": y} if named else y, epochs=4, every=2, row=1, loss="mse")
    dots, *curves = trained.fit.axes[0].get_lines()
    assert len(curves) == 2
    np.testing.assert_allclose(dots.get_xdata(), x["x"][1, :, 0], rtol=1e-6)
    np.testing.assert_allclose(dots.get_ydata(), y[1, :, 0], rtol=1e-6)
    np.testing.assert_array_equal(curves[-1].get_ydata(), net.predict(x)["y"][1, :, 0])


def test_a_graph_is_applied_up_to_the_end_of_each_sequence():
    net, (x, _) = network(), data()
    applied = apply_and_plot(net, x, lengths={"x": [7, STEPS]})
    curve = applied.figure.axes[0].get_lines()[-1].get_ydata()
    np.testing.assert_array_equal(curve[:7], applied.y["y"][0, :7, 0])
    assert np.isnan(curve[7:]).all()


def test_of_several_outputs_none_is_chosen():
    net, (x, _) = network(two=True), data()
    with pytest.raises(InvalidArgumentError) as caught:
        apply_and_plot(net, x)
    assert str(caught.value) == (
        "net must have one output, to be drawn; this one has the outputs 'y', 'z'."
    )
