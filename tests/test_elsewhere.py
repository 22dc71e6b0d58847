"""Names that other libraries have at the top of their packages."""

import re

import pytest

import throughtime as tt
from throughtime._elsewhere import OTHER_NAMES
from throughtime.network.other_names import OTHER_NAMES as OF_NETWORKS


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_names_of_other_packages_are_answered_with_ours(name):
    with pytest.raises(AttributeError) as caught:
        getattr(tt, name)
    assert str(caught.value) == (
        f"module 'throughtime' has no attribute {name!r}; write {OTHER_NAMES[name]}."
    )
    assert not hasattr(tt, name)
    assert name not in dir(tt)


@pytest.mark.parametrize("way", sorted({*OTHER_NAMES.values(), *OF_NETWORKS.values()}))
def test_every_way_leads_to_what_is_there(way):
    net = tt.Network([tt.layers.GRU(2)], n_features=1)
    for found in re.findall(r"\btt\.\w+(?:\.\w+)*", way):
        value = tt
        for part in found.split(".")[1:]:
            value = getattr(value, part)
    for attribute in re.findall(r"\bnet\.(\w+)", way):
        assert hasattr(net, attribute)
