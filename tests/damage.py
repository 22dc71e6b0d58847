"""Damaged files by the thousand: descriptions and headers changed at random, checksums put right.

``python tests/damage.py SEED COUNT KIND FOLDER`` changes the files of one kind that an earlier
release wrote, or of graphs, loads each, and fails unless every one is read or refused with a
ModelFileError. A graph that is read must run, and be the same after a second file. The script runs
in little memory, so a file that asks for much ends it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graph_cases
import numpy as np

import throughtime as tt
from throughtime.errors import ModelFileError, ThroughtimeError
from throughtime.forecasting import Forecaster
from throughtime.serialization.container import DTYPES

FILES = Path(__file__).parent / "files" / "0.1.0"
#: What a file may ask for beside what Python and NumPy take; many files would like more.
MEMORY = 2**31
LOADERS: dict[str, Callable[[Path], Any]] = {
    "networks": tt.load,
    "forecasters": Forecaster.load,
    "graphs": tt.load,
}

#: Texts that stand in JSON as they are, which ``json.dumps`` would not write.
LITERALS = {
    '"LARGE"': "1e999",
    '"NAN"': "NaN",
    '"DEEP"': "[" * 3000 + "]" * 3000,
    '"NESTED"': '{"name":' * 300 + "1" + "}" * 300,
    '"DIGITS"': "1" + "0" * 6000,
    '"HALF"': '"\\ud800"',
}
VALUES = [
    *(key[1:-1] for key in LITERALS),
    None, True, False, 0, -1, 1, 2, 0.5, -0.5, 1e308, 5e-324, 10**5, 10**9, 2**62, 2**63, 10**400,
    10**4200, -(10**4200), "", "tanh", "Dense", "float32", "f4,f4", "(", "é\n\0", "a" * 3000, [],
    {}, [[]], [None], [1] * 65, [0, 2**62, 2**62], {"name": "tanh"}, {"name": []},
    {"name": "GRU", "units": 3}, {"name": "softmax", "temperature": 1e-300},
]  # fmt: skip
WORDS = ["a", "0", "dict", "list", "single", "vector", "tokens", "x/y"]
SHAPES = [
    [1] * 33, [1] * 65, [0, 2**62, 2**62], [2**62, 0], [2**63], [2**64], [-1], [1.5], [0], [], None,
    "x",
]  # fmt: skip
OFFSETS = [[0, 0], [0, 2**62], [-1, 3], [5, 1], [0], None]


def split(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The entries of the arrays, our own entry, and the numbers of a file."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    body = json.loads(header.pop("__metadata__")["throughtime"])
    return header, body, data[8 + length :]


def join(header: dict[str, Any], body: dict[str, Any], numbers: bytes) -> bytes:
    """A file of these parts, whose checksum is right wherever there can be one."""
    text = literal(json.dumps(body))
    try:
        body = json.loads(text)
        body["sha256"] = checksum(header, body, numbers)
        text = json.dumps(body)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        pass  # nothing that has a checksum
    whole = json.dumps({**header, "__metadata__": {"throughtime": text}}).encode()
    return struct.pack("<Q", len(whole)) + whole + numbers


def literal(text: str) -> str:
    for key, value in LITERALS.items():
        text = text.replace(key, value)
    return text


def checksum(header: dict[str, Any], body: dict[str, Any], numbers: bytes) -> str:
    """As the container computes it."""
    own = {key: value for key, value in body.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode())
    for name in sorted(header):
        begin, end = header[name]["data_offsets"]
        array = np.frombuffer(numbers[begin:end], DTYPES[header[name]["dtype"]])
        digest.update(json.dumps([name, array.dtype.str, header[name]["shape"]]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


def damage_description(rng: random.Random, meta: dict[str, Any]) -> None:
    """Change, remove or repeat values somewhere inside ``meta``."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        found = list(places(meta))
        if not found:
            return
        *path, last = rng.choice(found)
        owner: Any = meta
        for key in path:
            owner = owner[key]
        old = owner[last]
        action = rng.random()
        if action < 0.15:
            del owner[last]
        elif action < 0.25 and isinstance(old, list):
            owner[last] = old * 20
        elif action < 0.4 and isinstance(old, int | float):
            owner[last] = rng.choice([old + 1, old - 1, -old, old * 1000, float(old), str(old)])
        else:
            owner[last] = copy.deepcopy(rng.choice(VALUES))


def damage_header(rng: random.Random, header: dict[str, Any]) -> None:
    """Change what a file says of one of its arrays."""
    if not header:
        return
    name = rng.choice(list(header))
    action = rng.randrange(6)
    if action == 0:
        header[name]["shape"] = rng.choice([*SHAPES, [1, *header[name]["shape"]]])
    elif action == 1:
        header[name]["dtype"] = rng.choice(["F64", "F16", "BF16", "I64", "BOOL", "C64", "", 3])
    elif action == 2:
        header[name]["data_offsets"] = rng.choice(OFFSETS)
    elif action == 3:
        header[rng.choice(["x", "", "é\n", "network.99", "\ud800"])] = header.pop(name)
    elif action == 4:
        header[name] = copy.deepcopy(rng.choice(VALUES))
    else:
        del header[name]


def damage_plan(rng: random.Random, meta: dict[str, Any]) -> None:
    """Change who feeds whom to something that is no less a number, a name or a list of numbers."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        found = [path for path in places(meta) if path[0] in ("inputs", "calls", "outputs")]
        *path, last = rng.choice(found)
        owner: Any = meta
        for key in path:
            owner = owner[key]
        old, number = owner[last], rng.randrange(-1, 12)
        if isinstance(old, list) and rng.random() < 0.5:
            rng.shuffle(old)
        elif isinstance(old, list):
            owner[last] = old[rng.randrange(2) : rng.randrange(4)] + old[: rng.randrange(2)]
        elif isinstance(old, str):
            owner[last] = rng.choice(
                ["a", "0", "dict", "list", "single", "vector", "tokens", "x/y"]
            )
        elif not isinstance(old, dict):
            owner[last] = rng.choice([number, number, number, None, [number], [0, number]])


def damage(rng: random.Random, data: bytes) -> bytes:
    """One damaged file."""
    action = rng.random()
    if action < 0.1:
        found = bytearray(data)
        for _ in range(rng.choice([1, 1, 5])):
            found[rng.randrange(len(found))] = rng.randrange(256)
        return bytes(found[: rng.choice([len(found), rng.randrange(len(found))])])
    header, body, numbers = split(data)
    if action < 0.4:
        damage_header(rng, header)
    elif action < 0.5:
        body[rng.choice(list(body))] = copy.deepcopy(rng.choice(VALUES))
    elif "calls" in body["meta"] and action < 0.8:
        damage_plan(rng, body["meta"])
    else:
        damage_description(rng, body["meta"])
    return join(header, body, numbers)


def graphs(folder: Path) -> list[Path]:
    """Files of graphs of every kind."""
    found = []
    for i, case in enumerate([*graph_cases.CASES[::3], *graph_cases.DRAWN]):
        found.append(folder / f"{i}.safetensors")
        net = case.network()
        net.freeze(net.plan.units[-1].owner).save(found[-1])
    return found


def use(net: tt.Network, path: Path) -> None:
    """Run a network that a damaged file described, unless it is large, and save it again."""
    net.save(path)
    again = tt.load(path)
    same = again.plan == net.plan and np.array_equal(again.params.flat, net.params.flat)
    assert same, "another network after a second file"
    assert str(net) == str(again)
    if sum(form.size for form in (*net.topology.input_forms, *net.topology.forms)) > 10**4:
        return
    try:
        x, _, mask = graph_cases.data(net, "ragged", 0, 2)
        y, tape = net.forward(x, mask=mask)
        net.backward(tape, y)
    except ThroughtimeError:  # in words: steps that do not match, weights that overflow
        pass


def main(seed: str, count: str, kind: str, folder: str) -> None:
    rng, home = random.Random(int(seed)), Path(folder)
    sources = graphs(home) if kind == "graphs" else sorted((FILES / kind).glob("*.safetensors"))
    limit_memory()
    path, refusals = home / "damaged", []
    np.seterr(all="ignore")
    for _ in range(int(count)):
        path.write_bytes(damage(rng, rng.choice(sources).read_bytes()))
        try:
            found = LOADERS[kind](path)
        except ModelFileError as error:
            refusals.append(str(error))
        else:
            if kind == "graphs":
                use(found, home / "again")
    sys.stdout.write(json.dumps(refusals))


def limit_memory() -> None:
    """Let this process take little more address space than it has, where the system can tell."""
    status = Path("/proc/self/statm")
    if status.exists():
        limit = int(status.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main(*sys.argv[1:])
