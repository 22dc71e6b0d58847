"""Networks as files: every bit comes back, and nothing but a network is read."""

import json
import pickle
import struct

import numpy as np
import pytest
from network_cases import CASES, Case

import throughtime as tt
from throughtime.errors import DataError, InvalidTypeError, ModelFileError
from throughtime.layers import GRU, LSTM, RNN, Conv1D, Dense, Flatten, MaxPool1D
from throughtime.network import Network
from throughtime.network.storage import KIND, VERSION, load, save
from throughtime.serialization.container import identify, read_container, write_container

OWN = [case for case in CASES if "custom" in case.name]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [case for case in CASES if case not in OWN], ids=str)
def test_every_network_comes_back_bit_by_bit(case, dtype, path):
    net = case.network(dtype)
    net.save(path)
    again = load(path)
    assert (again.layers, again.dtype, again.seed) == (net.layers, net.dtype, net.seed)
    assert again.params == net.params
    assert again.params.flat.tobytes() == net.params.flat.tobytes()
    x, mask = case.batch(net)
    assert np.array_equal(case.run(net, x, mask, [None] * len(net.layers))[0],
                          case.run(again, x, mask, [None] * len(net.layers))[0])  # fmt: skip
    again.params.flat *= 2.0  # its own memory, and writable views
    assert all(np.array_equal(again.params[name], 2 * net.params[name]) for name in net.params)


def test_options_that_no_gradient_depends_on_come_back_too(path):
    layers = [
        LSTM(3, initializer="he_normal", recurrent_initializer="identity", forget_bias=2.0,
             lr_multiplier=0.5, l1=0.1, l2=0.2, return_sequences=True),
        GRU(2, reset_after=False, dropout=0.1, recurrent_dropout=0.2),
        Dense(1, initializer="zeros", lr_multiplier=0.0, l2=0.3, use_bias=False),
    ]  # fmt: skip
    net = Network(layers, 2, seed=5)
    net.save(path)
    assert tt.load(str(path)).layers == tuple(layers)


@pytest.mark.parametrize("case", OWN, ids=str)
def test_a_users_own_function_cannot_be_written(case, path):
    with pytest.raises(InvalidTypeError, match=r"is your own object and cannot be written"):
        case.network().save(path)
    assert not path.exists()


def test_parameters_that_are_not_finite_cannot_be_written(path):
    net = Network([RNN(2)], 2)
    net.save(path)
    before = path.read_bytes()
    net.params["0.W_h"][1, 0] = np.nan
    with pytest.raises(DataError, match=r"^0\.W_h must be finite; got nan at index \(1, 0\)\."):
        net.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_same_network_makes_the_same_file(path, tmp_path):
    net = Case("", [GRU(2), Dense(1)]).network()
    net.save(path)
    save(net.copy(), tmp_path / "other")
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


def refused(path):
    with pytest.raises(ModelFileError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_is_no_network_is_refused(path, tmp_path):
    assert (
        refused(tmp_path / "none")
        == f"{tmp_path / 'none'} cannot be read: No such file or directory."
    )
    path.write_bytes(b"")
    assert refused(path) == f"{path} is not a usable network file: it is empty."
    path.write_text("time,value\n1,2\n")
    assert refused(path).startswith(f"{path} is not a usable network file: ")
    path.write_bytes(pickle.dumps([1]))
    assert refused(path) == (
        f"{path} is not a usable network file: it is a pickle, which could run code and is never"
        " opened."
    )
    np.save(tmp_path / "array.npy", np.zeros(3))
    assert "it is a NumPy .npy file" in refused(tmp_path / "array.npy")
    for value in (3, None, ["a"]):
        with pytest.raises(InvalidTypeError) as caught:
            load(value)
        assert str(caught.value) == f"path must be a string or a path; got {value!r}."


def test_every_cut_and_every_flipped_byte_is_refused(path):
    net = Case("", [RNN(1)], 1).network("float32")
    net.save(path)
    data = path.read_bytes()
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        refused(path)
    for at in range(0, len(data), 5):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x11]) + data[at + 1 :])
        refused(path)


def parts():
    net = Case("", [LSTM(2), Dense(1)]).network("float32")
    return dict(net.params), net.to_config()


def test_arrays_that_do_not_fit_the_architecture_are_refused(path):
    arrays, config = parts()

    def attempt(new, changed=config):
        write_container(path, new, changed, KIND, VERSION)
        message = refused(path)
        return message.removeprefix(f"{path} ")

    def without(name):
        return {key: value for key, value in arrays.items() if key != name}

    assert attempt(without("1.b")) == (
        "the file describes a network of 43 parameters and holds 42."
    )
    renamed = attempt({**without("1.b"), "1.c": arrays["1.b"]})
    assert renamed == (
        "does not fit together: parameter '1.b' stands in only one of its architecture and its"
        " arrays."
    )
    assert attempt({**arrays, "0.W_x": arrays["0.W_x"].T}) == (
        "does not fit together: parameter '0.W_x' must be of shape (2, 8) and dtype float32;"
        " got (8, 2) and float32."
    )
    assert attempt({**arrays, "1.b": arrays["1.b"].astype("float64")}) == (
        "does not fit together: parameter '1.b' must be of shape (1,) and dtype float32;"
        " got (1,) and float64."
    )
    assert "network" in attempt(arrays, {})
    assert "unknown layer" in attempt(arrays, {**config, "layers": [{"name": "os.system"}]})


@pytest.mark.parametrize("size", [10**5, 10**9, 10**18])
@pytest.mark.parametrize(
    ("layers", "option"),
    [
        ([Conv1D(2, 2)], "kernel_size"),
        ([Conv1D(2, 2)], "filters"),
        ([Conv1D(2, 2, padding="causal")], "dilation"),
        ([Flatten(2), Dense(1)], "steps"),
        ([MaxPool1D(2), Conv1D(2, 2)], "size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_small_file_cannot_ask_for_a_large_window(path, layers, option, size):
    net = Network(layers, 2)
    config = net.to_config()
    config["layers"][0][option] = size
    write_container(path, dict(net.params), config, KIND, VERSION)
    if option in ("size", "dilation") and size < 2**20:  # which take no memory
        assert load(path).predict(np.zeros((1, 2**18, 2))).shape[2] == 2
        return
    message = refused(path)
    assert ("parameters" in message) or f"{option} must be" in message
    assert f"{size}" in message or "parameters" in message


@pytest.mark.parametrize("units", [10**5, 10**9, 10**18])
def test_a_small_file_cannot_ask_for_much_memory(path, units):
    arrays, config = parts()
    config["layers"][0]["units"] = units
    write_container(path, arrays, config, KIND, VERSION)
    assert "parameters" in refused(path)


def test_a_file_asks_for_no_later_version_than_its_content_needs(path):
    net = Network([GRU(3)], n_features=2)
    net.save(path)
    assert identify(path) == (KIND, 1)  # release 0.1 reads it
    net.trained_with = {"loss": {"name": "mse", "reduction": "mean"}, "metrics": []}
    net.save(path)
    assert identify(path) == (KIND, 2)
    assert load(path).trained_with == net.trained_with


def test_other_kinds_and_later_versions_are_refused(path):
    arrays, config = parts()
    write_container(path, arrays, config, "forecaster", VERSION)
    assert refused(path) == f"{path} is not a usable network file: it is a 'forecaster' file."
    write_container(path, arrays, config, "checkpoint")
    assert refused(path) == (
        f"{path} is a checkpoint of a run, not a network. Call tt.train as then, with this"
        " checkpoint and resume=True: it runs the epochs that are left, if any, and net is trained."
    )
    write_container(path, arrays, config, KIND, VERSION + 1)
    assert refused(path) == (
        f"{path} is not a usable network file: it has version {VERSION + 1} and this release reads"
        f" up to {VERSION}; a newer throughtime wrote it: pip install --upgrade throughtime."
    )


def test_the_file_is_plain_safetensors_with_json(path):
    net = Case("", [GRU(2), Dense(1)]).network()
    net.save(path)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert set(header) == {"__metadata__", *net.params}
    _, config = read_container(path, KIND, VERSION)
    assert config == json.loads(json.dumps(net.to_config()))
