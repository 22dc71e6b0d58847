"""Damaged files: whatever they say, they are read or refused in words, in little memory."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import damage
import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import ModelFileError
from throughtime.layers import GRU, Dense, RepeatVector
from throughtime.network import Network
from throughtime.network.storage import KIND
from throughtime.registry import Registry
from throughtime.serialization.container import read_container, write_container


@pytest.mark.parametrize("kind", damage.LOADERS)
def test_a_damaged_file_is_read_or_refused_in_words(kind, tmp_path):
    script = Path(damage.__file__)
    run = subprocess.run(
        [sys.executable, script, "0", "400", kind, tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stderr == ""
    refusals = json.loads(run.stdout)
    assert len(refusals) > 250
    assert not any("\n" in refusal for refusal in refusals)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


def refused(path):
    with pytest.raises(ModelFileError) as caught:
        read_container(path, "model")
    return str(caught.value).removeprefix(f"{path} is not a usable model file: ")


@pytest.mark.parametrize("shape", [[1] * 65, [0, 2**62, 2**62], [2**62, 0, 2**62]], ids=str)
def test_a_shape_that_no_array_can_have(path, shape):
    write_container(path, {"w": np.zeros(0 if 0 in shape else 1)}, {}, "model")
    header, body, numbers = damage.split(path.read_bytes())
    header["w"]["shape"] = shape
    path.write_bytes(damage.join(header, body, numbers))
    assert refused(path) == "array 'w' has a shape that no array can have."


@pytest.mark.parametrize("key", damage.LITERALS)
def test_values_that_no_description_holds(path, key):
    write_container(path, {}, {"value": key[1:-1]}, "model")
    path.write_bytes(damage.join(*damage.split(path.read_bytes())))
    assert refused(path) == "its header is damaged or of another format."


def damaged(path, **changes):
    """A network's file whose description was changed: of the whole, or of its first layer."""
    net = Network([GRU(2), Dense(1)], 3)
    config = net.to_config()
    own = {key: changes.pop(key) for key in list(changes) if key in config}
    config["layers"][0].update(changes)
    write_container(path, dict(net.params), config | own, KIND)
    with pytest.raises(ModelFileError) as caught:
        tt.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_numbers_that_ask_for_much_memory(path):
    wanted = "the file describes a network of"
    assert damaged(path, units=100_000) == f"{wanted} 30001400001 parameters and holds 41."
    for change in ({"units": 10**4200}, {"n_features": 10**4200}):
        assert damaged(path, **change) == f"{wanted} more than 2**63 parameters and holds 41."


@pytest.mark.parametrize("dtype", [{"name": "tanh"}, "f4,f4", "(", [], ["f4"], 3, None, "O"])
def test_a_dtype_that_is_none(path, dtype):
    message = damaged(path, dtype=dtype)
    assert message.startswith("the file describes no valid network: dtype must be 'float32' or")


def test_a_repeated_vector_has_a_limit(path):
    message = "the file holds a bad layer: steps must be an integer from 1 to 1048576; got 1048577."
    config = Network([RepeatVector(2)], 1).to_config()
    config["layers"][0]["steps"] = 2**20 + 1
    write_container(path, {}, config, KIND)
    with pytest.raises(ModelFileError) as caught:
        tt.load(path)
    assert str(caught.value) == message


def test_a_user_defined_class_that_fails_in_its_own_way():
    registry = Registry("shape", object)

    @registry.register("circle")
    @dataclass
    class Circle:
        name_: object = "a"

        def __post_init__(self):
            self.name_.lower()

    with pytest.raises(ModelFileError, match="the file holds a bad shape: 'int' object has no"):
        registry.from_config({"name": "circle", "name_": 3})
