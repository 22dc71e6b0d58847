"""``throughtime info``: what is installed, or what a model file holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from throughtime.cli.console import Screen

#: Extra -> the packages that it brings.
EXTRAS = {
    "cli": ("typer", "rich", "pandas", "pyarrow", "matplotlib", "jinja2"),
    "sklearn": ("scikit-learn",),
    "onnx": ("onnx", "onnxruntime"),
    "autodiff": ("jax",),
}


def register(app: Any) -> None:
    """Add the command to ``app``."""
    import typer

    @app.command()
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
    """Print versions, the engine, threads and which extras are complete."""
    import os
    import platform

    import numpy as np

    from throughtime import __version__
    from throughtime.engines import ENGINES, current_engine

    screen.headline(f"throughtime {__version__}")
    screen.facts("Python", [f"{platform.python_version()} on {platform.platform(terse=True)}"])
    screen.facts("NumPy", [np.__version__])
    others = sorted(set(ENGINES) - {current_engine()})
    also = f"; also there: {', '.join(others)}" if others else ", the only one installed"
    screen.facts("engine", [f"{current_engine()}{also}"])
    screen.facts("threads", [_threads(os.cpu_count() or 1, os.environ)])
    for number, (extra, packages) in enumerate(EXTRAS.items()):
        screen.facts("extras" if number == 0 else "", [f"{extra}: {_versions(extra, packages)}"])


def describe_file(screen: "Screen", path: Path) -> None:
    """Print what the model in ``path`` is.

    Raises
    ------
    ModelFileError
        If it is not a model file of throughtime.
    """
    ...


def _threads(cores: int, environment: Any) -> str:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    limits = [f"{name}={environment[name]}" for name in names if environment.get(name)]
    return f"{cores} cores" + (f"; limited by {', '.join(limits)}" if limits else "")


def _versions(extra: str, packages: tuple[str, ...]) -> str:
    """The versions of the packages, or how to get those that are missing."""
    from importlib import metadata

    found, missing = [], []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        return f"not installed ({', '.join(missing)}); pip install 'throughtime[{extra}]'"
    return ", ".join(found)
