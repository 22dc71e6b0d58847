"""Everything between a file or an array and a network's input, and from its output to labels.

================ =======================================================================
sequences        ragged lists and padded arrays, both ways
masks            lengths and masks, both ways
windows          sliding windows over one series or text
batches          which samples form one training step
scaling          scalers, with one centre and one scale per feature
moments          their statistics in one pass over batches
encoding         one-hot vectors, class ids, characters
decoding         from outputs to labels: paths through time, distances between labels
series           one time series: its calendar and its gaps
tables           from a table in a file to series
loaders          batches of data on disk, which need not fit into memory
datasets         real data that ship inside the package
tasks            problems with a known answer, generated from a seed
================ =======================================================================
"""

from __future__ import annotations

import importlib
from typing import Any

#: Public name -> the module of this package that defines it.
_HOME = {
    "minibatches": "batches",
    "alice": "datasets",
    "co2": "datasets",
    "digits": "datasets",
    "seattle_temperature": "datasets",
    "crf_marginals": "decoding",
    "crf_viterbi": "decoding",
    "ctc_beam": "decoding",
    "ctc_greedy": "decoding",
    "edit_distance": "decoding",
    "Vocabulary": "encoding",
    "labels": "encoding",
    "one_hot": "encoding",
    "Table": "tables.files",
    "read_table": "tables.files",
    "SCALERS": "scaling",
    "MinMaxScaler": "scaling",
    "RobustScaler": "scaling",
    "StandardScaler": "scaling",
    "check_sequences": "sequences",
    "from_channels_first": "sequences",
    "from_nan_padded": "sequences",
    "Loader": "loaders.loader",
    "from_npy": "loaders.npy",
    "from_parquet": "loaders.parquet",
    "lengths_from_mask": "masks",
    "mask_from_lengths": "masks",
    "pad": "sequences",
    "unpad": "sequences",
    "Frequency": "tables.frequency",
    "Series": "series",
    "fill": "series",
    "Windows": "windows",
    "ahead": "windows",
    "count_windows": "windows",
    "next_tokens": "windows",
    "sliding_windows": "windows",
}
_MODULES = {
    "batches", "datasets", "decoding", "encoding", "loaders", "masks", "scaling", "sequences",
    "series", "tables", "tasks", "windows",
}  # fmt: skip

__all__ = [*_HOME, *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    if name in _MODULES or name == "files":  # it has moved; importing it warns
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
