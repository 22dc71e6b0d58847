"""What a network takes and gives: features, outputs, shapes."""

from __future__ import annotations

from typing import Any

from throughtime.activations import Activation
from throughtime.errors import InvalidArgumentError
from throughtime.layers import Dense
from throughtime.network.graph import Topology
from throughtime.network.plan import Plan


class Ends:
    """The part of a network that says what goes in and comes out."""

    topology: Topology

    @property
    def plan(self) -> Plan:
        """Which layers there are, and who feeds whom."""
        return self.topology.plan

    @property
    def n_features(self) -> int:
        """F of the input; 1 for tokens. Of a network with one input."""
        self._only("n_features", self.plan.inputs.names, "inputs")
        return self.topology.input_form.features

    @property
    def n_outputs(self) -> int:
        """K of the output. Of a network with one output."""
        self._only("n_outputs", self.plan.outputs.names, "outputs")
        return self.topology.output_forms[0].features

    def _only(self, what: str, names: tuple[str, ...], kind: str) -> None:
        if len(names) > 1:
            raise InvalidArgumentError(
                f"{what} is that of a network with one of them; this one has the {kind}"
                f" {', '.join(map(repr, names))}."
            )

    @property
    def output_activation(self) -> Activation | None:
        """Activation of the output layer if it is a Dense layer, otherwise None."""
        last = self.topology.layers[self.topology.ends[0]]
        return last.activation if isinstance(last, Dense) else None

    def output_shape(self, input_shape: Any) -> Any:
        """Shape of the output for an input of ``input_shape``; nothing is computed.

        Of several inputs, a dict or a list of shapes; of several outputs, one in their container.
        """
        return self.topology.dry_run(input_shape)
