"""The axis legend of the whole package.

Every docstring writes shapes with these letters:

====== ==================================================================
letter axis
====== ==================================================================
``N``  batch: independent sequences
``T``  time: steps of one sequence
``F``  input features of one step
``H``  hidden units of a recurrent layer
``G``  gates of a cell (Elman 1, GRU 3 in the order r z n, LSTM 4 in the
       order i f g o)
``K``  outputs of the network
====== ==================================================================

Public arrays are batch-first, ``(N, T, F)``. Inside the time loops arrays are time-major,
``(T, N, ...)``, so that one step is one contiguous block; states carry ``T + 1`` slots, slot 0
being the initial state. Weights act on row vectors: ``x (N, F) @ W (F, H)``.
"""

AXES = {
    "N": "batch",
    "T": "time",
    "F": "input features",
    "H": "hidden units",
    "G": "gates",
    "K": "outputs",
}
