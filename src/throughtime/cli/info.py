"""``throughtime info``: what is installed, or what a model file holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from throughtime.cli.console import Screen
    from throughtime.report import LayerRow

#: Extra -> the packages that it installs.
EXTRAS = {
    "cli": ("typer", "rich", "pandas", "pyarrow", "matplotlib", "jinja2"),
    "autodiff": ("jax",),
}


def register(app: Any) -> None:
    """Add the command to ``app``."""
    import typer

    from throughtime.cli.failures import NO_BETTER, exit_codes

    @app.command(
        help="Describe the installation, or a model file. Writes no file.\n\n"
        f"{exit_codes(NO_BETTER)}"
    )
    def info(
        model: Annotated[
            Path | None,
            typer.Argument(help="A model file; without one, the installation.", show_default=False),
        ] = None,
    ) -> None:
        """Describe the installation, or a model file."""
        from throughtime.cli.console import Screen

        screen = Screen()
        if model is None:
            describe_installation(screen)
        else:
            describe_file(screen, model)


def describe_installation(screen: "Screen") -> None:
    """Print versions, the engine, the number of threads, and which extras are installed."""
    import os
    import platform

    import numpy as np

    from throughtime import __version__

    screen.headline(f"throughtime {__version__}")
    screen.facts("Python", [f"{platform.python_version()} on {platform.platform(terse=True)}"])
    screen.facts("NumPy", [np.__version__])
    screen.facts("engine", describe_engines())
    screen.facts("threads", [_threads(os.cpu_count() or 1, os.environ)])
    for number, (extra, packages) in enumerate(EXTRAS.items()):
        screen.facts("extras" if number == 0 else "", [f"{extra}: {_versions(extra, packages)}"])


def describe_file(screen: "Screen", path: Path) -> None:
    """Print what the model file ``path`` holds.

    Raises
    ------
    ModelFileError
        If throughtime did not write it.
    """
    from throughtime.serialization.container import identify

    kind, version = identify(path)
    if kind == "forecaster":
        _describe_forecaster(screen, path, version)
    else:
        _describe_network(screen, path, version)


def _describe_forecaster(screen: "Screen", path: Path, version: int) -> None:
    from throughtime.cli.describe import layer_rows, settings_of
    from throughtime.cli.predict_request import PredictRequest
    from throughtime.cli.series import description_in
    from throughtime.cli.wording import Wording
    from throughtime.forecasting import Forecaster

    model = Forecaster.load(path)
    screen.headline(f"{path.name}, a forecaster (file version {version})")
    known = description_in(model.metadata)
    screen.facts("data", _describe_data(known))
    _print_layers(screen, layer_rows(model.networks_[0]))
    screen.facts("settings", [f"{name}: {value}" for name, value in settings_of(model).items()])
    # The next thing to do with the model is to predict with it.
    wording = Wording(PredictRequest, known.get("target", ""))
    screen.facts("notes", map(wording.say, model.notes_))


def _describe_network(screen: "Screen", path: Path, version: int) -> None:
    from throughtime.cli.describe import layer_rows
    from throughtime.network.storage import load
    from throughtime.network.summary import cells

    net = load(path)
    screen.headline(f"{path.name}, a network (file version {version})")
    if net.plan.stack:
        screen.facts("input", [f"{net.n_features} features, {net.dtype}"])
        _print_layers(screen, layer_rows(net))
        return
    head, rows = cells(net.topology, net.params)
    total = ["total", "", "", f"{net.params.size:,}"]
    screen.table(head, [*rows, total], text_columns=3, bold=len(rows))


def _describe_data(known: dict[str, Any]) -> list[str]:
    """What a model file says about the data that the model was trained on."""
    if not known:
        return ["not described: the model was not made by the command line"]
    lines = [f"target {known['target']!r}"]
    if known["time"] is not None:
        lines[0] += f", time {known['time']!r}"
    if known["id"] is not None:
        lines[0] += f", id {known['id']!r}, {len(known['last'])} series"
    if known["covariates"]:
        lines.append("covariates " + ", ".join(repr(name) for name in known["covariates"]))
    ends = sorted({str(last).partition("T00:00:00")[0] for last in known["last"].values()})
    lines.append(f"the last value is from {ends[-1]}")
    return lines


def _print_layers(screen: "Screen", rows: "tuple[LayerRow, ...]") -> None:
    total = sum(row.parameters for row in rows)
    cells = [[row.name, row.shape, f"{row.parameters:,}"] for row in rows]
    screen.table(
        ["layer", "output", "parameters"],
        [*cells, ["total", "", f"{total:,}"]],
        text_columns=2,
        bold=len(cells),
    )


def describe_engines() -> list[str]:
    """The engine in use, and the other one or why there is none."""
    from throughtime.kernels import selection

    module = selection.extension()
    if module is None:
        return ["reference", f"no native engine: {selection.problem()}"]
    threads = selection.get_num_threads()
    cores = f"{threads} thread{'s' if threads > 1 else ''}"
    openmp = ", OpenMP" if module.openmp() else ""
    native = f"native: instruction set {module.level()}, {cores}{openmp}"
    if selection.current() == "native":
        return [native, "also available: reference"]
    return ["reference", f"also available: {native}"]


def _threads(cores: int, environment: Any) -> str:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    limits = [f"{name}={environment[name]}" for name in names if environment.get(name)]
    return f"{cores} cores" + (f"; {', '.join(limits)}" if limits else "")


def _versions(extra: str, packages: tuple[str, ...]) -> str:
    """The versions of the packages, or how to install those that are missing."""
    from importlib import metadata

    from throughtime.errors import how_to_install

    found, missing = [], []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        return f"not installed ({', '.join(missing)}); {how_to_install(extra)}"
    return ", ".join(found)
