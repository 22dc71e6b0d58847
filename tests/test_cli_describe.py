"""Settings of a forecaster in words."""

from types import SimpleNamespace

import pytest

from throughtime.cli import describe


@pytest.mark.parametrize(
    ("shares", "weight", "said"),
    [
        ({}, 0.5, "none"),
        ({None: 0.6}, 0.5, "shipped, 60 % of their correction"),
        ({"a": 1.0, "b": 0.5}, 0.0, "shipped, 75 % of their correction on average"),
        ({None: 0.0}, 0.5, "shipped, not used"),
        ({None: 0.6}, 1.0, "shipped, replaced by the network"),
    ],
)
def test_how_far_base_networks_are_used(shares, weight, said):
    model = SimpleNamespace(shares_=shares, weight_=weight, base_model="shipped")
    assert describe._base(model) == said
