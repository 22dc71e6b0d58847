"""What the library says of its parameters, said of columns and options."""

from __future__ import annotations

import re

#: Pattern of a parameter in a sentence of the library -> the option of the command line.
_OPTIONS = (
    (r"\bdayfirst=True\b", "--dayfirst"),
    (r"\bdayfirst=False\b", "--no-dayfirst"),
    (r"\b(horizon|window|season|holdout)=(\S*\w)", r"--\1 \2"),
    (r"^(target|time|id|covariates|holdout) must\b", r"--\1 must"),
    (r"\(id\)", "(--id)"),
    (r"\bshorter horizon or window\b", "shorter --horizon or --window"),
    (r"\bshorter horizon\b", "shorter --horizon"),
    (r" Set nonnegative=False to let it go lower\.", ""),
    (r"\bFit again with transform='none'", "Train again on these data"),
)


def in_options(sentence: str) -> str:
    """``sentence`` with parameters called by their options.

    >>> in_options("holdout must leave something; dayfirst=True reads them the other way.")
    '--holdout must leave something; --dayfirst reads them the other way.'
    """
    for pattern, option in _OPTIONS:
        sentence = re.sub(pattern, option, sentence)
    return sentence


def in_words(sentence: str, target: str) -> str:
    """What the forecaster says of "y", said of the column or of the series."""

    def name(found: re.Match[str]) -> str:
        return f"series {found[2]}" if found[2] else f"column {target!r}"

    return re.sub(r"(?<![\w'\"])y(\[('[^']*'|\"[^\"]*\")\])?(?![\w'\"])", name, sentence)
