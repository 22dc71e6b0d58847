"""Which parameters training moves, and how fast; and weights taken from another network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_array,
    describe,
    sentence,
)
from throughtime.network.graph import Topology
from throughtime.network.params import Params
from throughtime.network.plan import Loan, Plan, called


@dataclass(frozen=True)
class Matched:
    """What :meth:`Network.load_matching` did; print it to see it in words.

    Attributes
    ----------
    loaded : tuple of str
        The parameters that were filled.
    kept : tuple of str
        The parameters of the network that the source has not.
    other_shape : tuple of str
        The parameters that have another shape in the source, and were kept.
    unused : tuple of str
        The parameters of the source that the network has not.
    """

    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    other_shape: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        words = (
            ("loaded", self.loaded),
            ("kept, because the source has none", self.kept),
            ("kept, because the source has another shape", self.other_shape),
            ("not used", self.unused),
        )
        return "\n".join(f"{what}: {', '.join(names)}" for what, names in words if names)


class Freezing:
    """The part of a network that says which parameters training moves."""

    topology: Topology
    params: Params
    dtype: np.dtype
    frozen: frozenset[str]

    def lr_multipliers(self) -> np.ndarray | None:
        """Factor on the learning rate for each number in ``params.flat``; None if all are 1."""
        factors = {owner: layer.lr_multiplier for owner, layer in self.topology.plan.units}
        factors |= dict.fromkeys(self.frozen, 0.0)
        if all(factor == 1.0 for factor in factors.values()):
            return None
        result = np.ones(self.params.size, dtype=self.dtype)
        for name, part in self.params.slices.items():
            result[part] = factors[Params.owner(name)]
        return result

    def freeze(self, *layers: str | int) -> Self:
        """Let training leave the parameters of layers as they are; return the network.

        Parameters
        ----------
        layers : str or int
            Names or numbers of layers; those of a network in this one mean all its layers. In a
            graph, layers and networks are numbered in the order of their first calls.

        Examples
        --------
        >>> import throughtime as tt
        >>> net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(1)], n_features=2)
        >>> sorted(net.freeze(0).frozen)
        ['0']
        """
        self.frozen |= owners_of(self.topology.plan, layers)
        return self

    def unfreeze(self, *layers: str | int) -> Self:
        """Let training change the parameters of ``layers`` again; without any, of all."""
        self.frozen -= owners_of(self.topology.plan, layers) if layers else self.frozen
        return self

    def weight_mask(self) -> np.ndarray:
        """Which numbers in ``params.flat`` are weights; penalties apply to no others."""
        result = np.zeros(self.params.size, dtype=bool)
        for name, part in self.params.slices.items():
            result[part] = Params.is_weight(name)
        return result

    def _borrow(self, loans: Sequence[Loan]) -> None:
        """Take over the weights of networks that stand in this one, and what is frozen there."""
        for loan in loans:
            for name, array in loan.net.params.owned(loan.local).items():
                own = f"{loan.owner}.{Params.local(name)}"
                if self.params.shapes[own] != array.shape:
                    raise InvalidArgumentError(
                        f"{self.topology.named(self.topology.layer_of(own))} stands in a network"
                        f" whose {name!r} has the shape {array.shape}, and would need"
                        f" {self.params.shapes[own]} here. Give that network as many features as it"
                        " was made for."
                    )
                self.params[own] = array
            if loan.local in loan.net.frozen:
                self.frozen |= {loan.owner}

    def load_matching(self, source: Any) -> Matched:
        """Take over every parameter that another network has under the same name and shape.

        Parameters
        ----------
        source : path-like, Network, or mapping of str to array
            Where the weights come from.

        Returns
        -------
        Matched
            What was taken over, and what was not.

        Raises
        ------
        InvalidArgumentError
            If no parameter fits.
        """
        if isinstance(source, str | os.PathLike):
            from throughtime.network.storage import load

            source = load(source)
        given = getattr(source, "params", source)
        if not isinstance(given, Mapping):
            raise InvalidTypeError(
                sentence("source", "a path, a network, or a dict of arrays", describe(source))
            )
        arrays = {
            name: check_array(f"source[{name!r}]", given[name], finite=False)
            for name in self.params
            if name in given
        }
        fits = tuple(name for name, a in arrays.items() if a.shape == self.params.shapes[name])
        if not fits:
            raise InvalidArgumentError(
                sentence(
                    "source",
                    "an array with the name and the shape of a parameter of this network, such as"
                    f" {next(iter(self.params))!r}",
                    f"{', '.join(map(str, given)) or 'none'}",
                    must="hold",
                )
            )
        for name in fits:
            self.params[name] = arrays[name]
        others = [name for name in self.params if name not in fits]
        return Matched(
            fits,
            tuple(name for name in others if name not in arrays),
            tuple(name for name in others if name in arrays),
            tuple(str(name) for name in given if name not in self.params),
        )


def owners_of(plan: Plan, layers: Sequence[Any]) -> frozenset[str]:
    """The owners that names or numbers of layers mean; a network in the plan means all of its."""
    found: set[str] = set()
    outer = [*dict.fromkeys(owner.partition("/")[0] for owner, _ in plan.units)]
    for one in layers:
        number = isinstance(one, int) and not isinstance(one, bool) and 0 <= one < len(outer)
        name = outer[one] if number else one
        mine = {
            owner
            for owner, layer in plan.units
            if isinstance(name, str)
            and (name in (owner, layer.name) or owner.startswith(f"{name}/"))
        }
        if not mine:
            known = ", ".join(repr(called(owner, layer)) for owner, layer in plan.units)
            raise InvalidArgumentError(sentence("a layer", f"one of {known}", describe(one)))
        found |= mine
    return frozenset(found)
