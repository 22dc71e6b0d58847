"""Classes that from_parquet is given: the numbers of one data set hold for another."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_data_loaders_parquet_errors import refused

from throughtime.data.loaders.parquet import from_parquet
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError

OPTIONS = {"id": "id", "target": "state", "features": ["a"], "shuffle": False}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.parquet"


def write(path, states, **more):
    n = len(states)
    pq.write_table(pa.table({"id": range(n), "a": [0.0] * n, "state": states} | more), path)


def targets(path, **options):
    return [int(y) for batch in from_parquet(path, **(OPTIONS | options)) for y in batch["y"]]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("ids", [[0, 1, 2, 3], [0, 1, 0, 1]])
def test_the_numbers_of_the_training_data_hold_for_others(path, tmp_path, cached, ids):
    write(path, ["worn", "broken", "sound"])
    train = from_parquet(path, **OPTIONS)
    test = tmp_path / "two.parquet"
    write(test, ["sound", "worn", "sound", "worn"], id=ids)
    cache = tmp_path / "cache" if cached else None
    assert set(targets(test, cache=cache)) == {0, 1}
    for _ in range(2):  # the second one finds the cache
        loader = from_parquet(test, classes=train.classes, cache=cache, **OPTIONS)
        assert set(np.concatenate([batch["y"] for batch in loader])) == {1, 2}
        assert loader.classes.tolist() == ["broken", "sound", "worn"]
    order = ["worn", "sound", "lost"]
    assert set(targets(test, classes=order, cache=cache)) == {0, 1}
    loader = from_parquet(test, classes=order, cache=cache, **OPTIONS)
    assert loader.classes.tolist() == order
    assert len({tuple(targets(test, cache=cache, classes=c)) for c in (order, order[1::-1])}) == 2


def test_booleans(path):
    write(path, [True, True])
    assert targets(path) == [0, 0]
    assert targets(path, classes=[False, True]) == [1, 1]


def test_a_class_that_is_not_among_them(path):
    write(path, ["sound", "sound", "lost"])
    sentence = (
        f"target column 'state' of {path} must hold one of the classes 'sound', 'worn'; got 'lost'"
        " in row 3. Drop such rows before, or train with this class too."
    )
    common = OPTIONS | {"time": None}
    refused(DataError, sentence, path, classes=("sound", "worn"), **common)
    many = [f"c{k}" for k in range(30)]
    named = ", ".join(map(repr, many[:10]))
    sentence = sentence.replace("'sound', 'worn'", f"{named}, ...").replace("'lost'", "'sound'")
    refused(DataError, sentence.replace("row 3", "row 1"), path, classes=many, **common)


def test_lists_that_are_no_classes(path):
    write(path, ["sound", "worn"], n=[1, 2])
    common = OPTIONS | {"time": None}
    for classes, got in (("sound", "'sound'"), (3, "3")):
        sentence = f"classes must be a list; got {got}. Those of another loader are loader.classes."
        refused(InvalidTypeError, sentence, path, classes=classes, **common)
    sentence = "classes must hold text, as the column 'state'; got 1."
    refused(InvalidArgumentError, sentence, path, classes=["sound", 1], **common)
    sentence = "classes must hold each class once; got 'worn' twice."
    refused(InvalidArgumentError, sentence, path, classes=["worn", "worn"], **common)
    sentence = "classes must hold at least one class; got none."
    refused(InvalidArgumentError, sentence, path, classes=[], **common)
    sentence = "classes must be None unless the target is text or booleans; got "
    number = "the column 'n', whose numbers stay."
    refused(
        InvalidArgumentError, sentence + number, path, classes=[1], **(common | {"target": "n"})
    )
    none = common | {"target": None}
    refused(InvalidArgumentError, f"{sentence}no target.", path, classes=[1], **none)
