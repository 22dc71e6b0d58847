"""Sequences that are new in every epoch: drawn anew, or read from a file one epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from throughtime.errors import InvalidArgumentError, InvalidTypeError, describe, sentence
from throughtime.training.mapped import Mapped
from throughtime.training.options import TrainingOptions
from throughtime.training.samples import Samples, Weigher
from throughtime.training.sources import check_marks
from throughtime.training.validation import check_named

if TYPE_CHECKING:
    from throughtime.network import Network


def check_renewal(
    renew: Any,
    net: Network,
    options: TrainingOptions,
    validation: Any,
    weights: Weigher | None,
) -> Callable[[int], Samples | Mapped] | None:
    """``renew`` as a function whose sequences are checked when they come; None if it is None.

    ``weights`` gives them the weights of their classes.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        If ``renew`` cannot be called, or if an option needs sequences that stay.
    """
    if renew is None:
        return None
    if not callable(renew):
        hint = "It takes the number of an epoch and returns (x, y)."
        raise InvalidTypeError(sentence("renew", "a function", describe(renew), hint, value=renew))
    if not (validation is None or isinstance(validation, tuple | list | Mapping)):
        hint = "A fraction would be drawn from the first epoch alone."
        expected = "a separate set (x, y) where renew is given"
        raise InvalidArgumentError(
            sentence("validation", expected, describe(validation), hint, value=validation)
        )
    if options.keep_outputs:
        hint = "Outputs are kept for sequences that stay the same."
        expected = "False where renew is given"
        raise InvalidArgumentError(sentence("keep_outputs", expected, "True", hint, value=True))

    def renewed(epoch: int) -> Samples | Mapped:
        data = renew(epoch)
        if not isinstance(data, tuple | list | Mapping):
            expected = "a tuple (x, y) or (x, y, lengths), or a dict"
            raise InvalidTypeError(
                sentence("renew", expected, describe(data), must="return", value=data)
            )
        found = check_named("renew", data, net, options.heads)
        check_marks("renew['reset']", found.reset, options.carry_state)
        return found.weighted(weights)

    return renewed
