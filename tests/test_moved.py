"""Paths of earlier releases still import, and say where their names are now."""

import importlib
import json
import pickle
import sys
import warnings
from pathlib import Path

import pytest

import throughtime as tt
from throughtime._moved import MOVED, find_homes

#: The modules of 0.1 below ``throughtime.``, and the names in ``__all__`` of each.
MODULES = json.loads((Path(__file__).parent / "files" / "0.1.0" / "modules.json").read_text())


@pytest.fixture
def forgotten(request):
    """The old paths as a new process finds them: not imported yet."""
    for name in [name for name in sys.modules if find_homes(name.removeprefix("throughtime."))]:
        del sys.modules[name]


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("old", sorted(MOVED))
def test_a_moved_module_imports_with_a_warning(old):
    homes = [f"throughtime.{home}" for home in MOVED[old]]
    with pytest.warns(DeprecationWarning, match="has moved to") as caught:
        alias = importlib.import_module(f"throughtime.{old}")
    *packages, own = caught  # a module of a package that has moved too warns of both
    assert len(packages) == (old.rpartition(".")[0] in MOVED)
    assert str(own.message) == (
        f"throughtime.{old} has moved to {' and '.join(homes)}; the old path goes with version 0.3."
    )
    assert own.filename == importlib.__file__  # who imports it, not the machinery
    assert alias.__doc__ == importlib.import_module(homes[0]).__doc__
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


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("module", MODULES)
def test_every_module_and_public_name_of_0_1_is_there(module):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "throughtime.* has moved to", DeprecationWarning)
        found = importlib.import_module(f"throughtime.{module}")
        assert [name for name in MODULES[module] if not hasattr(found, name)] == []


@pytest.mark.usefixtures("forgotten")
def test_a_module_of_a_moved_package_is_the_new_one():
    with pytest.warns(DeprecationWarning, match="has moved to") as caught:
        from throughtime.plotting.drawing.picture import Drawing
    assert [str(warning.message).partition(";")[0] for warning in caught] == [
        "throughtime.plotting.drawing has moved to throughtime.drawing",
        "throughtime.plotting.drawing.picture has moved to throughtime.drawing.picture",
    ]
    assert Drawing is tt.drawing.Drawing
    with pytest.raises(ModuleNotFoundError, match=r"plotting\.drawing\.pictures'$"):
        importlib.import_module("throughtime.plotting.drawing.pictures")


@pytest.mark.parametrize("name", ["load", "save"])
def test_network_files_left_the_serialization_module(name):
    from throughtime import serialization
    from throughtime.network import storage

    with pytest.warns(DeprecationWarning, match=rf"^throughtime.serialization.{name} has moved to"):
        assert getattr(serialization, name) is getattr(storage, name)


@pytest.mark.usefixtures("forgotten")
def test_the_module_of_files_is_an_attribute_of_data():
    vars(tt.data).pop("files", None)
    with pytest.warns(DeprecationWarning, match="data.files has moved"):
        assert tt.data.files.read_table is tt.data.read_table


@pytest.mark.usefixtures("forgotten")
def test_drawing_is_an_attribute_of_plotting():
    vars(tt.plotting).pop("drawing", None)
    with pytest.warns(DeprecationWarning, match="plotting.drawing has moved"):
        assert tt.plotting.drawing.draw is tt.drawing.draw
    with pytest.raises(AttributeError, match="no attribute 'drawings'"):
        tt.plotting.drawings  # noqa: B018  # to look it up is the test
