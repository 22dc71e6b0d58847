"""Figures that cannot be drawn are refused in one line, before anything is written."""

import os
import subprocess
import sys

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import ThroughtimeError
from throughtime.plotting import animate_fit, apply_and_plot, plot_fit, plot_hidden_states

X = np.linspace(0, 5, 40)
NET = tt.Network([tt.layers.RNN(2, return_sequences=True), tt.layers.Dense(1)], n_features=1)
HISTORY = tt.train(NET, X[None, :, None], X[None, :, None], epochs=1, verbose=False)
DAYS = np.datetime64("2024-01-01") + np.arange(40)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_fit(X, X, [X]), "fits must be a dict of curves by name; got [array("),
        (lambda: plot_fit(X, X, {}, seen="x"), "seen must be"),
        (
            lambda: plot_fit(DAYS, X, {}, seen=3.0),
            "seen must be a numpy.datetime64, as x holds them; got 3.0.",
        ),
        (lambda: plot_fit([], [], {}), "x must be of shape (T,) with T >= 1; got shape (0,)."),
        (lambda: plot_hidden_states(np.zeros((0, 3))), "h must hold a step and a unit; got"),
        (lambda: plot_hidden_states(np.zeros((40, 3)), DAYS), "x must hold numbers; got"),
        (lambda: plot_hidden_states(np.zeros((2, 3)), [1, 1]), "x must rise from step to step"),
        (lambda: animate_fit(X, X, None, "a.gif"), "outputs must be a list of arrays (T,); got"),
        (lambda: animate_fit(X, X, [X], "a.gif", epochs=5), "epochs must be of shape (1,)"),
        (lambda: animate_fit(X, X, [X], "a.gif", title=5), "title must be a string; got 5."),
        (lambda: animate_fit(X, X, [X], "a.gif", seconds=0.1), "seconds must be"),
        (lambda: animate_fit(X, X, [X, X], "a.gif", epochs=[2, 1]), "epochs must be rising"),
        (lambda: animate_fit(X, X, [X], 3), "path must be the name of a file; got 3."),
        (lambda: animate_fit(X[:0], X[:0], [X[:0]], "a.gif"), "x must hold at least one"),
        (
            lambda: plot_fit(DAYS, X, {"net": (X, X)}),
            "fits['net'][0] must hold dates, as x does; got others.",
        ),
        (lambda: plot_fit(DAYS + np.timedelta64("NaT"), X, {}), "x must hold no NaT; got 40"),
        (lambda: plot_fit(X, X, {}, size=3), "size must be a pair of inches, each from 0.5"),
        (lambda: plot_fit(X, X, {}, size=(float("nan"), 1)), "size must be a pair of inches"),
        (lambda: plot_fit(X, X, {}, palette="dark"), "palette must be a Palette, LIGHT or DARK"),
        (lambda: plot_fit(X, X, {}, path=3), "path must be the name of a file; got 3."),
        (lambda: HISTORY.plot(3), "path must be the name of a file; got 3."),
        (lambda: HISTORY.plot(columns=3), "columns must be a list of names; got 3."),
        (lambda: apply_and_plot(NET, X[None, :, None], X[None]), "y must be of shape (N, T, 1)"),
        (
            lambda: apply_and_plot(NET, X[None, :, None], position=["a"] * 40),
            "position must hold numbers; got text.",
        ),
    ],
)
def test_arguments_that_do_not_fit(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ThroughtimeError) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert not list(tmp_path.iterdir())


DRAW = """
import os, sys
import numpy as np
from throughtime.plotting import LIGHT, animate_fit, plot_fit, to_svg
x = np.arange(5.0)
figure = plot_fit(x, x, {"a": x}, path="fit.png")
animate_fit(x, x, [x, x], "fit.gif")
assert to_svg(figure, LIGHT, "a").startswith("<svg")
import matplotlib
backend = dict.get(matplotlib.rcParams, "backend")  # to ask for it would choose one
print(os.environ["MPLBACKEND"], backend if isinstance(backend, str) else None)
print([name for name in sys.modules if name == "matplotlib.pyplot"])
"""


@pytest.mark.parametrize(
    ("backend", "kept"),
    [
        ("nonsense", None),
        ("svg", "svg"),
        ("module://matplotlib.backends.backend_pdf", "module://matplotlib.backends.backend_pdf"),
    ],
)
def test_the_backend_for_windows_does_not_matter(backend, kept, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRAW], cwd=tmp_path, capture_output=True, text=True,
        check=False, env=os.environ | {"MPLBACKEND": backend},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    # A backend that the user chose stays chosen, for what else the process draws.
    assert run.stdout.splitlines() == [f"{backend} {kept}", "[]"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.gif", "fit.png"]
