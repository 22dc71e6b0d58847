"""``throughtime demo``: the examples, each the experiment of a published system."""

import ast
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from throughtime.cli.console import Screen

#: In the order in which they are listed.
NAMES = (
    "lecture-oscillator", "lecture-weather", "lecture-digits", "slides-sine", "mod3", "mod3-sum",
    "sine-window", "first-equals-last", "noisy-sine", "alice", "pixel-digits",
)  # fmt: skip


def register(app: Any) -> None:
    """Add the command to ``app``."""
    import typer

    from throughtime.cli.failures import NO_BETTER, exit_codes

    @app.command(
        help="Run the experiment of a published system: its figure, ours and a naive one side by"
        " side, and its pictures (.svg, .png, .gif, .html). Without NAME, list them; with 'all',"
        " run them one by one.\n\n"
        f"{exit_codes(NO_BETTER)}"
    )
    def demo(
        name: Annotated[
            str | None,
            typer.Argument(metavar="NAME", help="The demo to run.", show_default=False),
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out",
                help="The folder for the pictures; by default demo-NAME. Files of an earlier run"
                " are replaced.",
                metavar="FOLDER",
            ),
        ] = None,
    ) -> None:
        from throughtime.cli.console import Screen
        from throughtime.errors import InvalidArgumentError, check_choice

        screen = Screen()
        if name is None:
            if out is not None:
                raise InvalidArgumentError("--out needs the NAME of a demo before it.")
            list_demos(screen)
            return
        check_choice("NAME", name, (*NAMES, "all"))
        if name == "all":
            run_all(screen, out)
        else:
            run(screen, name, Path(f"demo-{name}") if out is None else out)


def list_demos(screen: "Screen") -> None:
    """Print the name of every demo, and what it shows."""
    screen.headline("throughtime demo NAME")
    for name in NAMES:
        text = ast.get_docstring(ast.parse(script(name).read_text("utf-8"))) or ""
        screen.line(f"  {name:<19} {text.splitlines()[0]}")


def run_all(screen: "Screen", out: Path | None) -> None:
    """Run every demo, each into a folder of its own."""
    from throughtime.cli.failures import StoppedEarly, Terminated

    for number, name in enumerate(NAMES):
        try:
            run(screen, name, Path(f"demo-{name}") if out is None else out / name)
        except (KeyboardInterrupt, Terminated) as end:
            if number == 0:
                raise
            done = f"{number} of {len(NAMES)} demos had ended, and their pictures were written"
            if isinstance(end, Terminated):
                end.outcome = done
                raise
            raise StoppedEarly(f"Stopped by Ctrl-C; {done}.") from None
        screen.line()


def run(screen: "Screen", name: str, folder: Path) -> None:
    """Run a demo; its pictures go to ``folder`` if it succeeds."""
    from throughtime.cli.output import check_folder, staged
    from throughtime.plotting.style import load_matplotlib
    from throughtime.training.interrupt import CLEAN_END

    load_matplotlib("Drawing the pictures of a demo")
    module = load(name)
    check_folder(folder, ())
    screen.headline((module.__doc__ or name).splitlines()[0])
    before = CLEAN_END.set(False)
    try:
        with staged(folder) as stage:
            module.main(stage)
            files = sorted(path.name for path in stage.iterdir())
    finally:
        CLEAN_END.reset(before)
    screen.line(f"{folder}/: {', '.join(files)}")


def script(name: str) -> Path:
    """The file of a demo: inside the package, or in a clone beside the sources."""
    package = Path(__file__).parents[1]
    file = f"{name.replace('-', '_')}.py"
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / file).is_file():
            return folder / file
    raise FileNotFoundError(f"{file} is neither in the package nor beside the sources")


def load(name: str) -> ModuleType:
    """The script of a demo as a module."""
    path = script(name)
    spec = importlib.util.spec_from_file_location(f"throughtime_demo_{path.stem}", path)
    assert spec is not None  # the name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
