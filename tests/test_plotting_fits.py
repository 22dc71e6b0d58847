"""Figures of fits and states, animations, and functions that train or apply and draw."""

import json
import re
import signal

import numpy as np
import pytest
from PIL import Image

import throughtime as tt
from throughtime.errors import InvalidArgumentError, ShapeError, ThroughtimeError
from throughtime.plotting import (
    DARK,
    LIGHT,
    animate_fit,
    apply_and_plot,
    plot_fit,
    plot_hidden_states,
    train_and_plot,
)

X = np.linspace(0, 5, 40)


def network(units=4, **options):
    layers = [tt.layers.RNN(units, return_sequences=True), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=1, seed=0, **options)


def problem():
    x = X.reshape(1, -1, 1)
    return x, np.sin(x)


def words(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_fit_shows_data_curves_and_what_was_not_trained_on(tmp_path):
    y = np.sin(X)
    y[3] = np.nan
    fits = {"first": np.cos(X), "later": (X[20:], np.cos(X[20:]))}
    path = tmp_path / "fit.png"
    figure = plot_fit(X, y, fits, seen=X[20], xlabel="seconds", path=path)
    data, first, later = figure.axes[0].get_lines()
    assert np.isnan(data.get_ydata()).sum() == 1
    assert len(later.get_xdata()) == 20
    assert words(figure) == ["data", "first", "later"]
    assert figure.axes[0].get_xlabel() == "seconds"
    assert "not trained on" in [text.get_text() for text in figure.axes[0].texts]
    assert first.get_color() != later.get_color()
    with Image.open(path) as image:
        assert image.size[0] > 1000


def test_of_many_curves_the_last_one_is_strongest():
    figure = plot_fit(X, np.sin(X), {f"epoch {k}": np.cos(X) for k in range(5)})
    strengths = [line.get_alpha() for line in figure.axes[0].get_lines()[1:]]
    assert strengths == sorted(strengths)
    assert strengths[-1] == 1.0


@pytest.mark.parametrize(
    ("fits", "message"),
    [
        ({"net": X[:5]}, "fits['net'] must have 40 values, as x has; got 5."),
        ({"net": (X, X, X)}, "fits['net'] must be an array, or a pair (x, values); got 3 parts."),
    ],
)
def test_curves_that_do_not_fit(fits, message):
    with pytest.raises((ShapeError, InvalidArgumentError)) as caught:
        plot_fit(X, X, fits)
    assert str(caught.value) == message


def test_hidden_states_are_sorted_and_saturation_counted(tmp_path):
    h = np.zeros((40, 3))
    h[:, 0], h[20:, 2] = 0.99, -0.99
    figure = plot_hidden_states(h, X, path=tmp_path / "states.png")
    above, below, _ = figure.axes
    rows = above.collections[0].get_array().reshape(3, 40)
    np.testing.assert_allclose(rows, h[:, [2, 1, 0]].T)
    share = below.get_lines()[0].get_ydata()
    np.testing.assert_allclose(share, np.where(np.arange(40) < 20, 100 / 3, 200 / 3))


def test_one_step_and_one_unit_can_be_drawn():
    assert plot_hidden_states(np.zeros((1, 1))).axes


def test_hidden_states_need_as_many_places():
    with pytest.raises(ShapeError) as caught:
        plot_hidden_states(np.zeros((4, 2)), X)
    assert str(caught.value) == "x must have 4 values, one a step of h; got 40."


def test_a_gif_moves_and_ends_with_the_last_epoch(tmp_path):
    outputs = [np.sin(X) * k / 5 for k in range(6)]
    animate_fit(X, np.sin(X), outputs, tmp_path / "fit.gif", seconds=3.0)
    with Image.open(tmp_path / "fit.gif") as image:
        frames = image.n_frames
        image.seek(0)
        first = np.asarray(image.convert("L")).astype(int)
        image.seek(frames - 1)
        last = np.asarray(image.convert("L")).astype(int)
    assert frames >= 6
    assert np.abs(first - last).max() > 50


def page_data(path):
    text = path.read_text("utf-8")
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1]), text


def test_a_page_holds_the_curves_and_asks_no_server(tmp_path):
    y = np.sin(X)
    y[0] = np.nan
    outputs = [np.sin(X) * k / 199 for k in range(200)]
    path = tmp_path / "fit.html"
    animate_fit(X, y, outputs, path, frames=20, title="a <b> & c")
    data, text = page_data(path)
    assert data["epochs"][:4] == [1, 2, 3, 4]
    assert data["epochs"][-1] == 200
    assert len(data["curves"]) == len(data["epochs"]) <= 20
    assert data["y"][0] is None
    np.testing.assert_allclose(data["curves"][-1], np.sin(X), atol=1e-4)
    assert "<title>a &lt;b&gt; &amp; c</title>" in text
    assert not re.search(r"(src|href)=", text)
    assert LIGHT.forecast in text
    assert DARK.forecast in text
    assert "{{" not in text
    words = "Data as 39 dots, and the network&#x27;s output as a line: after epochs 1, 2, 3, 4, "
    assert f'role="img" aria-label="{words}' in text


def test_epochs_may_be_named(tmp_path):
    animate_fit(X, X, [X, X], tmp_path / "fit.html", epochs=[100, 200])
    assert page_data(tmp_path / "fit.html")[0]["epochs"] == [100, 200]


@pytest.mark.parametrize(
    ("outputs", "name", "message"),
    [
        ([X], "fit.mp4", "path must end in .gif or .html; got 'fit.mp4'."),
        (
            [],
            "fit.gif",
            "outputs must hold at least one curve; got none. Train with keep_outputs=True.",
        ),
    ],
)
def test_an_animation_that_cannot_be(outputs, name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError) as caught:
        animate_fit(X, X, outputs, name)
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir())


def test_train_and_draw_in_one_call(tmp_path):
    net, (x, y) = network(), problem()
    seen = []
    trained = train_and_plot(
        net, x, y, every=10, folder=tmp_path, epochs=25, loss="half_mse", optimizer="adam",
        callbacks=[lambda run: seen.append(run.epoch)],
    )  # fmt: skip
    assert words(trained.fit) == ["data", "epoch 10", "epoch 20", "epoch 25"]
    curve = trained.fit.axes[0].get_lines()[-1].get_ydata()
    np.testing.assert_array_equal(curve, net.predict(x)[0, :, 0])
    assert trained.loss.axes[0].get_yscale() == "log"
    assert len(trained.history["loss"]) == len(seen) == 25
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.png", "loss.png"]


def test_drawing_changes_nothing_in_training():
    x, y = problem()
    drawn, plain = network(), network()
    train_and_plot(drawn, x, y, every=1, epochs=12)
    tt.train(plain, x, y, epochs=12)
    np.testing.assert_array_equal(drawn.params.flat, plain.params.flat)


def test_a_picture_has_at_most_ten_curves():
    x, y = problem()
    trained = train_and_plot(network(), x, y, every=1, epochs=35)
    assert 5 < len(trained.fit.axes[0].get_lines()[1:]) <= 10
    # Ten shades of one colour cannot be told apart.
    assert words(trained.fit) == ["data", "epoch 3", "7 between", "epoch 35"]


@pytest.mark.parametrize(("seen", "side"), [(4.8, "right"), (2.0, "left"), (-3.0, "left")])
@pytest.mark.parametrize("start", [0, np.datetime64("2024-01-01T00", "m")])
def test_the_words_of_a_band_stay_in_the_picture(start, seen, side):
    minutes = (100 * X).astype("timedelta64[m]") if start else X
    limit = np.timedelta64(int(100 * seen), "m") if start else seen
    figure = plot_fit(start + minutes, X, {"a": X}, seen=start + limit)
    figure.draw_without_rendering()
    (text,) = figure.axes[0].texts
    assert text.get_ha() == side
    box = text.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_steps_are_counted_where_the_input_is_no_place():
    x, y = problem()
    trained = train_and_plot(network(), x[:, ::-1], y, epochs=2)
    assert trained.fit.axes[0].get_lines()[0].get_xdata()[:3].tolist() == [1, 2, 3]


def test_apply_to_other_lengths_and_spacings(tmp_path):
    net = network()
    x = np.arange(0, 20, 0.3).reshape(1, -1, 1)
    applied = apply_and_plot(net, x, np.sin(x), path=tmp_path / "applied.png")
    np.testing.assert_array_equal(applied.y, net.predict(x))
    np.testing.assert_allclose(applied.figure.axes[0].get_lines()[1].get_xdata(), x[0, :, 0])
    assert (tmp_path / "applied.png").is_file()


def test_what_cannot_be_drawn_is_refused_before_training():
    x, y = problem()
    net = network()
    before = net.params.flat.copy()
    with pytest.raises(InvalidArgumentError) as caught:
        train_and_plot(net, x, y, folder="nowhere", epochs=1)
    assert str(caught.value) == "folder must be a folder that exists; got 'nowhere'."
    with pytest.raises(ShapeError) as caught:
        train_and_plot(net, x, y[:, :, 0], epochs=1)
    assert str(caught.value) == (
        "y must be of shape (N, T, 1), one value a step, to be drawn; y[0] is of shape (40,)."
    )
    with pytest.raises(ShapeError) as caught:
        train_and_plot(net, x, y, position=[1, 2], epochs=1)
    assert str(caught.value) == "position must have 40 values, one a step; got 2."
    with pytest.raises(ThroughtimeError, match=r"^callbacks must be a list of callbacks"):
        train_and_plot(net, x, y, callbacks=print, epochs=1)
    np.testing.assert_array_equal(net.params.flat, before)
    last = tt.Network([tt.layers.RNN(2)], n_features=1)
    with pytest.raises(InvalidArgumentError, match="one output at every step, to be drawn"):
        apply_and_plot(last, x)


def test_ragged_sequences_are_drawn_as_far_as_they_go():
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(n, 1)) for n in (12, 7)]
    y = [np.cumsum(one, axis=0) for one in x]
    net = tt.Network(
        [tt.layers.GRU(3, bidirectional=True, return_sequences=True), tt.layers.Dense(1)], 1
    )
    trained = train_and_plot(net, x, y, row=1, every=1, epochs=2)
    data, *_, curve = trained.fit.axes[0].get_lines()
    assert np.isfinite(data.get_ydata()).sum() == np.isfinite(curve.get_ydata()).sum() == 7
    np.testing.assert_allclose(curve.get_ydata()[:7], net.predict(x[1][None])[0, :, 0], atol=1e-6)


def test_the_last_curve_is_that_of_the_weights_that_stay():
    x, y = problem()
    net = network()
    trained = train_and_plot(
        net, x, y, every=5, epochs=40, validation=(x, -y), optimizer=tt.optimizers.Adam(0.05),
        callbacks=[tt.EarlyStopping(patience=12)],
    )  # fmt: skip
    best = trained.history.best_epoch
    assert best < trained.history.epochs[-1]
    assert words(trained.fit)[-1] == f"epoch {best}"


def test_ctrl_c_in_the_first_epoch_leaves_nothing_to_draw():
    x, y = problem()

    class Press(tt.Callback):
        def on_batch_end(self, run):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_and_plot(
            network(), x.repeat(64, 0), y.repeat(64, 0), epochs=9, callbacks=[Press()],
            verbose=False,
        )  # fmt: skip


def test_numbers_far_from_zero_keep_their_differences(tmp_path):
    x = 1e6 + np.arange(50.0)
    y = 1e6 + np.sin(x)
    animate_fit(x, y, [y], tmp_path / "fit.html")
    data, _ = page_data(tmp_path / "fit.html")
    assert data["x"] == x.tolist()
    np.testing.assert_allclose(data["y"], y, atol=1e-3)


def test_what_is_put_into_a_page_is_not_looked_at_again(tmp_path):
    animate_fit(X, X, [X], tmp_path / "fit.html", title="{{data}} </script> /*dark*/")
    data, text = page_data(tmp_path / "fit.html")
    assert data["epochs"] == [1]
    assert "<title>{{data}} &lt;/script&gt; /*dark*/</title>" in text


@pytest.mark.parametrize("name", ["fit.gif", "fit.html"])
def test_a_file_that_cannot_be_written_leaves_the_old_one(name, tmp_path, monkeypatch):
    path = tmp_path / name
    path.write_text("old")

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("throughtime.plotting.animation.replace_file", full)
    with pytest.raises(OSError, match="No space"):
        animate_fit(X, X, [X, X], path)
    assert path.read_text() == "old"
    monkeypatch.undo()
    with pytest.raises(InvalidArgumentError, match="path must be in a folder that exists"):
        animate_fit(X, X, [X, X], tmp_path / "nowhere" / name)


def test_only_a_png_is_written_under_such_a_name(tmp_path):
    x, y = problem()
    history = tt.train(network(), x, y, epochs=1)
    for path in (tmp_path / "a.pdf", "a"):
        with pytest.raises(InvalidArgumentError, match=r"^path must be a name that ends in .png;"):
            history.plot(path)
    assert history.plot(tmp_path / "a.PNG", columns="loss").axes
    assert [one.name for one in tmp_path.iterdir()] == ["a.PNG"]


def test_dates_and_dollars(tmp_path):
    days = np.datetime64("2024-01-01") + np.arange(40)
    fits = {r"$\frac{ $": np.sin(X)}
    figure = plot_fit(days, X, fits, seen=days[20], title="5 $ and $", path=tmp_path / "a.png")
    assert words(figure)[1] == r"$\frac{ $"
    animate_fit(X, X, [X, X], tmp_path / "a.gif", title=r"$\frac{$", seconds=0.5)


def test_history_draws_several_columns():
    x, y = problem()
    history = tt.train(network(), x, y, epochs=3, metrics=["mae"], validation=(x, y))
    figure = history.plot(columns=["loss", "mae"])
    assert [ax.get_title("left") for ax in figure.axes] == ["loss", "mae"]
    assert [len(ax.get_lines()) for ax in figure.axes] == [2, 2]
    with pytest.raises(InvalidArgumentError, match=r"^a column must be one of .*; got 'mea'"):
        history.plot(columns=["mea"])
    with pytest.raises(InvalidArgumentError, match="columns must name at least one column"):
        history.plot(columns=[])
