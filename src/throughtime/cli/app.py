"""The Typer application: the commands, and what they have in common."""

from typing import Annotated, Any


def build() -> Any:
    """The application with every command.

    Raises
    ------
    MissingDependencyError
        If Typer is not installed.
    """
    from throughtime import __version__
    from throughtime.cli import demo, forecast, info, predict
    from throughtime.errors import import_extra

    typer = import_extra("typer", "cli", "The command line")

    app = typer.Typer(
        name="throughtime",
        help="Forecast time series with recurrent networks.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"throughtime {__version__}")
            raise typer.Exit

    @app.callback()
    def common(
        version: Annotated[
            bool,
            typer.Option(
                "--version",
                callback=show_version,
                is_eager=True,
                help="Show the version.",
                metavar="",
            ),
        ] = False,
    ) -> None:
        """Forecast time series with recurrent networks."""

    for module in (forecast, predict, info, demo):
        module.register(app)
    group = typer.main.get_command(app)
    for command in (group, *group.commands.values()):
        _hide_type_of_help(command)
    return group


def _hide_type_of_help(command: Any) -> None:
    """Keep "<bool>" from standing beside --help, which takes no value."""
    make = command.get_help_option

    def help_option(context: Any) -> Any:
        option = make(context)
        if option is not None:
            option.metavar = ""
        return option

    command.get_help_option = help_option
