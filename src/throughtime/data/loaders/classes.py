"""The classes that a column of targets may hold, where the caller names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError, InvalidTypeError, describe, sentence

__all__ = ["check_classes"]


def check_classes(classes: Any, target: str | None, kind: str) -> np.ndarray:
    """Return ``classes`` as an array, in their order.

    Parameters
    ----------
    classes : list or array of shape (C,)
    target : str or None
        The column of targets.
    kind : str
        What the column holds, as :func:`throughtime.data.loaders.roles.kind_of` says it.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the column does not hold classes, or ``classes`` cannot be those of the column.
    """
    if kind not in ("text", "bool"):
        got = "no target" if target is None else f"the column {target!r}, whose numbers stay"
        raise InvalidArgumentError(
            sentence("classes", "None unless the target is text or booleans", got)
        )
    listed = classes.tolist() if isinstance(classes, np.ndarray) else classes
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        hint = "Those of another loader are loader.classes."
        raise InvalidTypeError(sentence("classes", "a list", describe(classes), hint))
    entries = list(listed)
    wanted, words = (str, "text") if kind == "text" else (bool, "booleans")
    for entry in entries:
        if not isinstance(entry, wanted):
            expected = f"{words}, as the column {target!r}"
            raise InvalidArgumentError(
                sentence("classes", expected, describe(entry), must="hold", value=classes)
            )
        if entries.count(entry) > 1:
            raise InvalidArgumentError(
                sentence("classes", "each class once", f"{entry!r} twice", must="hold")
            )
    if not entries:
        raise InvalidArgumentError(sentence("classes", "at least one class", "none", must="hold"))
    return np.array(entries)
