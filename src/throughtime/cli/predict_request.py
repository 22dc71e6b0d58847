"""What ``throughtime predict`` is asked to do: its options, each declared here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from throughtime.cli.options import Option, Positional, integer, names, quantiles_option
from throughtime.cli.requests import stem
from throughtime.cli.workers import Scheduler, workers_option


@dataclass
class PredictRequest:
    """What ``throughtime predict`` is asked to do; the attributes are the options, checked."""

    model: Annotated[Path, Positional("A model.safetensors of throughtime forecast.")]
    data: Annotated[
        Path,
        Positional(
            "A table with the columns of the training data: the history with its newest values, or"
            " the new rows alone."
        ),
    ]
    horizon: Annotated[
        int | None,
        Option(
            "--horizon",
            "How many steps to forecast, at most those of the model.",
            None,
            "STEPS",
            read=integer(1),
        ),
    ]
    target: Annotated[
        tuple[str, ...] | None,
        Option("--target", "The column to forecast, if renamed.", None, "COLUMN", read=names),
    ]
    time: Annotated[
        tuple[str, ...] | None,
        Option("--time", "The column of times, if renamed.", None, "COLUMN", read=names),
    ]
    id: Annotated[
        str | None,
        Option("--id", "The column that tells several series apart, if renamed.", None, "COLUMN"),
    ]
    dayfirst: Annotated[
        bool | None,
        Option(
            "--dayfirst/--no-dayfirst",
            "Whether 01/02/2024 is the first of February; by default as in the training data.",
            kind=bool,
        ),
    ]
    out: Annotated[
        Path,
        Option(
            "--out",
            "The folder for the results; by default DATA-prediction. Files of an earlier run are"
            " replaced.",
            None,
            "FOLDER",
            kind=Path,
        ),
    ]
    quantiles: Annotated[tuple[float, ...] | None, quantiles_option()]
    quiet: Annotated[bool, Option("--quiet", "Print nothing.", None, "", False, bool)]
    workers: Annotated[int | Scheduler | None, workers_option()]

    def __post_init__(self) -> None:
        """Set the default that depends on another option."""
        self.out = self.out or Path(f"{stem(self.data)}-prediction")
