"""Networks as files: one safetensors file with the arrays, and the architecture as JSON."""

from __future__ import annotations

import os

from throughtime.errors import ModelFileError
from throughtime.network.network import Network
from throughtime.serialization.container import identify, read_container, write_container

KIND = "network"
#: Version 2 holds what the network was trained with, which release 0.1 cannot read; version 3
#: graphs, names and what is frozen, which release 0.2 cannot read.
VERSION = 3


def save(net: Network, path: str | os.PathLike[str]) -> None:
    """Write a network to ``path``, atomically; the file is replaced whole or not at all.

    Raises
    ------
    InvalidTypeError
        If a layer holds a user-defined function, which a file cannot hold.
    """
    config, version = net.to_config(), 1
    if net.trained_with:
        config["trained_with"], version = net.trained_with, 2
    named = any(layer.name is not None for layer in net.layers)
    if named or not config.keys() <= {"layers", "n_features", "dtype", "seed", "trained_with"}:
        version = VERSION
    write_container(path, dict(net.params), config, KIND, version)


def _is_checkpoint(path: str | os.PathLike[str]) -> bool:
    try:
        return identify(path)[0] == "checkpoint"
    except ModelFileError:
        return False  # read_container says why


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that :meth:`Network.save` wrote.

    Nothing in the file is executed: it holds numbers, and names of registered layers.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, foreign, or of a later version.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(1)], n_features=2)
    >>> net.save("model.safetensors")
    >>> bool((tt.load("model.safetensors").params.flat == net.params.flat).all())
    True
    """
    if _is_checkpoint(path):
        raise ModelFileError(
            f"{os.fspath(path)} is a checkpoint of a run, not a network. Call tt.train as then,"
            " with this checkpoint and resume=True: it runs the epochs that are left, if any, and"
            " net is trained."
        )
    arrays, config = read_container(path, KIND, VERSION)
    trained_with = config.pop("trained_with", {}) if isinstance(config, dict) else {}
    if not isinstance(trained_with, dict):
        raise ModelFileError(f"{os.fspath(path)} does not say what its network was trained with.")
    net = Network.from_config(config, sum(array.size for array in arrays.values()))
    if arrays.keys() != net.params.keys():
        odd = sorted(arrays.keys() ^ net.params.keys())[0]
        raise ModelFileError(
            f"{os.fspath(path)} does not fit together: parameter {odd!r} stands in only one of its"
            " architecture and its arrays."
        )
    for name, array in arrays.items():
        own = net.params[name]
        if array.shape != own.shape or array.dtype != own.dtype:
            raise ModelFileError(
                f"{os.fspath(path)} does not fit together: parameter {name!r} must be of shape"
                f" {own.shape} and dtype {own.dtype}; got {array.shape} and {array.dtype}."
            )
        own[...] = array
    net.trained_with = trained_with
    return net
