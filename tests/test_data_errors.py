"""Odd values at every door of ``tt.data``: they are read, or refused in one sentence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from odd_values import ODD

from throughtime import data
from throughtime.data import tasks
from throughtime.errors import ThroughtimeError

Y = 10.0 + np.random.default_rng(0).normal(size=60)
BATCH = np.ones((2, 3, 1))

DOORS: dict[str, Callable[[Any], Any]] = {
    "read_table": data.read_table,
    "read_table, target": lambda v: data.read_table(data.datasets.CO2_FILE, v),
    "read_table, time": lambda v: data.read_table(data.datasets.CO2_FILE, "co2", v),
    "read_table, id": lambda v: data.read_table(data.datasets.CO2_FILE, "co2", id=v),
    "read_table, covariates": lambda v: data.read_table(
        data.datasets.CO2_FILE, "co2", covariates=v
    ),
    "read_table, frequency": lambda v: data.read_table(
        data.datasets.CO2_FILE, "co2", frequency=v
    ),
    "Series, values": data.Series.from_arrays,
    "Series, times": lambda v: data.Series.from_arrays([1.0, 2.0], v),
    "Series, covariates": lambda v: data.Series.from_arrays([1.0, 2.0], None, v),
    "Series, rows": lambda v: data.Series.from_arrays([1.0, 2.0], rows=v),
    "Series, frequency": lambda v: data.Series.from_arrays([1.0, 2.0], frequency=v),
    "Series, covariate_names": lambda v: data.Series.from_arrays([1.0, 2.0], covariate_names=v),
    "Frequency": data.Frequency,
    "Frequency, count": lambda v: data.Frequency("month", v),
    "fill": data.fill,
    "fill, method": lambda v: data.fill([1.0], v),
    "sliding_windows": lambda v: data.sliding_windows(v, 2),
    "sliding_windows, window": lambda v: data.sliding_windows(Y, v),
    "sliding_windows, target": lambda v: data.sliding_windows(Y, 2, target=v),
    "sliding_windows, missing": lambda v: data.sliding_windows(Y, 2, missing=v),
    "ahead": data.ahead,
    "ahead, steps": lambda v: data.ahead(Y, v),
    "pad": data.pad,
    "pad, length": lambda v: data.pad([[1.0]], length=v),
    "pad, value": lambda v: data.pad([[1.0], [1.0, 2.0]], value=v),
    "unpad": lambda v: data.unpad(v, [1]),
    "unpad, lengths": lambda v: data.unpad([[1.0, 2.0]], v),
    "mask_from_lengths": data.mask_from_lengths,
    "lengths_from_mask": data.lengths_from_mask,
    "from_nan_padded": data.from_nan_padded,
    "from_channels_first": data.from_channels_first,
    "check_sequences": data.check_sequences,
    "check_sequences, lengths": lambda v: data.check_sequences(BATCH, v),
    "check_sequences, mask": lambda v: data.check_sequences(BATCH, mask=v),
    "check_sequences, dtype": lambda v: data.check_sequences(BATCH, dtype=v),
    "minibatches": lambda v: list(data.minibatches(v, 2, shuffle=False)),
    "minibatches, rng": lambda v: list(data.minibatches(5, 2, v)),
    "minibatches, lengths": lambda v: list(
        data.minibatches(3, 2, shuffle=False, lengths=v, bucket=True)
    ),
    "one_hot": data.one_hot,
    "one_hot, n_classes": lambda v: data.one_hot([1], v),
    "one_hot, dtype": lambda v: data.one_hot([1], 2, v),
    "labels": data.labels,
    "Vocabulary": data.Vocabulary,
    "Vocabulary.from_texts": data.Vocabulary.from_texts,
    "Vocabulary.encode": lambda v: data.Vocabulary("ab").encode(v),
    "Vocabulary.decode": lambda v: data.Vocabulary("ab").decode(v),
    "Vocabulary.one_hot": lambda v: data.Vocabulary("ab").one_hot(v),
    "scaler": lambda v: data.StandardScaler().fit(v),
    "scaler, mask": lambda v: data.StandardScaler().fit(Y, v),
    "scaler, transform": lambda v: data.StandardScaler().fit(Y).transform(v),
    "scaler, center": lambda v: data.StandardScaler(v, v),
    "scaler, low": lambda v: data.MinMaxScaler(low=v),
    "task, n": lambda v: tasks.adding_problem(v),
    "task, seed": lambda v: tasks.adding_problem(2, seed=v),
    "task, alphabet": lambda v: tasks.first_equals_last(2, alphabet=v),
    "task, part": lambda v: tasks.sine_windows(v),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_odd_values_are_read_or_refused_in_a_sentence(door: str) -> None:
    refused = 0
    for make in ODD.values():
        message = ""
        try:
            DOORS[door](make())
        except ThroughtimeError as error:
            message = str(error)
            refused += 1
        assert "\n" not in message
    assert refused > len(ODD) // 2
