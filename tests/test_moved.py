"""Paths of earlier releases still import, and say where their names are now."""

import importlib
import pickle
import sys

import pytest

import throughtime as tt
from throughtime._moved import MOVED


@pytest.fixture
def forgotten(request):
    """The old paths as a new process finds them: not imported yet."""
    for name in [name for name in sys.modules if name.removeprefix("throughtime.") in MOVED]:
        del sys.modules[name]


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("old", sorted(MOVED))
def test_a_moved_module_imports_with_a_warning(old):
    homes = [f"throughtime.{home}" for home in MOVED[old]]
    with pytest.warns(DeprecationWarning, match="has moved to") as caught:
        alias = importlib.import_module(f"throughtime.{old}")
    assert [str(warning.message) for warning in caught] == [
        f"throughtime.{old} has moved to {' and '.join(homes)}; the old path goes with version 0.3."
    ]
    assert caught[0].filename == importlib.__file__  # who imports it, not the machinery
    for home in homes:
        module = importlib.import_module(home)
        for name in vars(module):
            if not name.startswith("__"):
                assert hasattr(alias, name)


@pytest.mark.usefixtures("forgotten")
def test_names_of_a_moved_module_are_the_new_ones():
    with pytest.warns(DeprecationWarning, match="schedules has moved"):
        from throughtime.schedules import Cosine
    assert Cosine is tt.schedules.Cosine
    with pytest.raises(AttributeError, match=r"^module 'throughtime.schedules' has no .* 'Cosin'$"):
        sys.modules["throughtime.schedules"].Cosin  # noqa: B018  # to look it up is the test


@pytest.mark.usefixtures("forgotten")
def test_a_pickle_with_old_paths_loads():
    old = pickle.dumps(tt.schedules.Constant(0.5), protocol=0)
    old = old.replace(b"throughtime.optimizers.schedules", b"throughtime.schedules")
    with pytest.warns(DeprecationWarning, match="schedules has moved"):
        assert pickle.loads(old) == tt.schedules.Constant(0.5)


@pytest.mark.parametrize("name", ["load", "save"])
def test_network_files_left_the_serialization_module(name):
    from throughtime import serialization
    from throughtime.network import storage

    with pytest.warns(DeprecationWarning, match=rf"^throughtime.serialization.{name} has moved to"):
        assert getattr(serialization, name) is getattr(storage, name)


def test_the_module_of_files_is_an_attribute_of_data():
    sys.modules.pop("throughtime.data.files", None)
    vars(tt.data).pop("files", None)
    with pytest.warns(DeprecationWarning, match="data.files has moved"):
        assert tt.data.files.read_table is tt.data.read_table
