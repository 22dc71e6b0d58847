# The native engine, compiled from native/. Python code reaches it through
# kernels.selection.kernels(), as the Protocol in kernels/extension.py; mypy holds the two together,
# and a test compares this description with the module.

import numpy as np

def level() -> str: ...
def levels() -> tuple[str, ...]: ...
def use_level(name: str) -> None: ...
def openmp() -> bool: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def trim_memory() -> int: ...

# How long calls take, with one thread and with a team of them, and who should make the next one.
class Record:
    def __init__(self) -> None: ...
    def next(self) -> bool: ...
    def took(self, time: float) -> None: ...

# -- time loops, dense products, streams. Arrays of one type, float32 or float64; mask and started
# are bool. ValueError or TypeError, with nothing changed, if an array is not what it should be.

# What a cell computes: its number, and numbers and parameters of its activations.
class Form:
    def __init__(
        self,
        cell: int,
        activation: int,
        activation_parameter: float,
        gate_activation: int,
        gate_parameter: float,
        reset_after: bool,
    ) -> None: ...

# What a forward pass keeps for the backward pass.
class Tape: ...

# Fills y, h_T and c_T; returns a tape if keep is true.
def unroll(
    form: Form,
    *,
    reverse: bool,
    keep: bool,
    x: np.ndarray,
    W_x: np.ndarray,
    W_h: np.ndarray,
    b: np.ndarray | None,
    b_time: np.ndarray | None,
    b_hn: np.ndarray | None,
    h_0: np.ndarray,
    c_0: np.ndarray | None,
    mask: np.ndarray | None,
    started: np.ndarray | None,
    drop: np.ndarray | None,
    y: np.ndarray,
    h_T: np.ndarray,
    c_T: np.ndarray | None,
) -> Tape | None: ...

# Adds to dW_x ... db_hn; fills dx, dh_0 and dc_0.
def bptt(
    tape: Tape,
    *,
    dy: np.ndarray | None,
    dh_T: np.ndarray | None,
    dc_T: np.ndarray | None,
    dW_x: np.ndarray,
    dW_h: np.ndarray,
    db: np.ndarray | None,
    db_time: np.ndarray | None,
    db_hn: np.ndarray | None,
    dx: np.ndarray | None,
    dh_0: np.ndarray,
    dc_0: np.ndarray | None,
) -> None: ...

# What a scan computes: its number, and the number and the parameter of its activation.
class ScanForm:
    def __init__(self, kind: int, activation: int, parameter: float) -> None: ...

# What a scan keeps for its backward pass.
class ScanTape: ...

# Fills y and last; returns a tape if keep is true.
def scan(
    form: ScanForm,
    *,
    reverse: bool,
    keep: bool,
    x: np.ndarray,
    W: np.ndarray,
    b: np.ndarray | None,
    c: np.ndarray | None,
    first: np.ndarray,
    first_2: np.ndarray | None,
    mask: np.ndarray | None,
    y: np.ndarray,
    last: np.ndarray,
    last_2: np.ndarray | None,
) -> ScanTape | None: ...

# Adds to dW, db and dc; fills dx and d_first.
def scan_back(
    tape: ScanTape,
    *,
    dy: np.ndarray | None,
    d_last: np.ndarray | None,
    d_last_2: np.ndarray | None,
    dW: np.ndarray,
    db: np.ndarray | None,
    dc: np.ndarray | None,
    dx: np.ndarray | None,
    d_first: np.ndarray,
    d_first_2: np.ndarray | None,
) -> None: ...

# Runs a cell with options over time: fills the states and what it keeps of each step.
def option_forward(
    form: Form,
    arrays: dict[str, np.ndarray],
    cell_clip: float,
    hidden_clip: float,
    zoneout: float,
    cell_zoneout: float,
    keep: bool,
) -> None: ...

# Fills da, du, dr, dp and dv; dh and dc are those of the final states, then of the first ones.
def option_backward(
    form: Form,
    arrays: dict[str, np.ndarray],
    cell_clip: float,
    hidden_clip: float,
    zoneout: float,
    cell_zoneout: float,
) -> None: ...

# Fills w, k and a from v.
def normalise(arrays: dict[str, np.ndarray], cut: int) -> None: ...

# Fills dv from da, w and k.
def normalise_back(arrays: dict[str, np.ndarray], cut: int) -> None: ...

# Adds to out the sum over rows of a b, or of a.
def column_sums(a: np.ndarray, b: np.ndarray | None, out: np.ndarray) -> None: ...

# Fills y, or adds to it.
def affine(
    x: np.ndarray, W: np.ndarray, b: np.ndarray | None, y: np.ndarray, add: bool = False
) -> None: ...

# Adds to dW and db; fills dx.
def affine_back(
    x: np.ndarray,
    W: np.ndarray,
    dz: np.ndarray,
    dW: np.ndarray,
    db: np.ndarray | None,
    dx: np.ndarray | None,
) -> None: ...

# Fills y (B, M, K) with x (B, M, F) times W (B, F, K), or the transposes of W (B, K, F).
def products(x: np.ndarray, W: np.ndarray, y: np.ndarray, transposed: bool) -> None: ...

# A network that takes one step at a time; each step changes h, c and started in place.
class Stepper:
    def __init__(self, rows: int, is_double: bool) -> None: ...
    def add(
        self,
        form: Form,
        *,
        dense: bool,
        W_x: np.ndarray,
        W_h: np.ndarray | None = None,
        b: np.ndarray | None = None,
        b_time: np.ndarray | None = None,
        b_hn: np.ndarray | None = None,
        h: np.ndarray | None = None,
        c: np.ndarray | None = None,
        started: np.ndarray | None = None,
    ) -> None: ...
    # Fills y; False, with nothing done, if x or y is not what it should be.
    def step(self, x: object, y: object, /) -> bool: ...

# -- activations. False, with nothing changed, if an array is not what kernels work on.

def activate(
    kind: int, parameter: float, z: np.ndarray, y: np.ndarray, mask: np.ndarray | None = None
) -> bool: ...
def activate_backward(
    kind: int,
    parameter: float,
    dy: np.ndarray,
    y: np.ndarray,
    dz: np.ndarray,
    mask: np.ndarray | None = None,
) -> bool: ...
def math(name: str, x: np.ndarray, y: np.ndarray) -> bool: ...

# -- flat vectors. None, with nothing changed, if an array is not what kernels work on: float32 or
# float64, contiguous, aligned, and writable if it is to be changed.

def norm(x: np.ndarray) -> float | None: ...
def finite(x: np.ndarray) -> bool | None: ...
def clip_norm(grads: np.ndarray, limit: float) -> float | None: ...
def clip_value(grads: np.ndarray, limit: float) -> float | None: ...
def penalise(
    weights: np.ndarray, grads: np.ndarray | None, l1: float, l2: float
) -> tuple[float, float] | None: ...

# -- smoothing of one series with C settings from O origins (forecasting/rolling.py). ValueError,
# with nothing changed, if an array is not what it should be.

# Fills level (O, C), slope (O, C) and season (O, C, P).
def rolling_states(
    z: np.ndarray,
    place: np.ndarray,
    origins: np.ndarray,
    pattern: np.ndarray,
    columns: np.ndarray,
    begin: int,
    start: float,
    level: np.ndarray,
    slope: np.ndarray,
    season: np.ndarray,
) -> None: ...

# Fills errors (O, C).
def rolling_errors(
    z: np.ndarray,
    y: np.ndarray,
    place: np.ndarray,
    origins: np.ndarray,
    pattern: np.ndarray,
    columns: np.ndarray,
    begin: int,
    start: float,
    log: bool,
    ceiling: float,
    weight: np.ndarray,
    errors: np.ndarray,
) -> None: ...

# Fills means (O, H, G).
def rolling_means(
    z: np.ndarray,
    y: np.ndarray,
    place: np.ndarray,
    origins: np.ndarray,
    pattern: np.ndarray,
    columns: np.ndarray,
    begin: int,
    start: float,
    log: bool,
    ceiling: float,
    weights: np.ndarray,
    groups: np.ndarray,
    means: np.ndarray,
) -> None: ...

# -- steps of optimisers. The vectors: params, grads, three moments, multiplier, decay_mask,
# previous. Whether all parameters are finite afterwards.

def sgd(
    vectors: tuple[np.ndarray | None, ...],
    lr: float,
    momentum: float,
    rest: float,
    nesterov: bool,
    begins: bool,
) -> bool | None: ...
def adagrad(
    vectors: tuple[np.ndarray | None, ...], lr: float, momentum: float, epsilon: float
) -> bool | None: ...
def rmsprop(
    vectors: tuple[np.ndarray | None, ...], lr: float, rho: float, momentum: float, epsilon: float
) -> bool | None: ...
def adam(
    vectors: tuple[np.ndarray | None, ...],
    lr: float,
    beta1: float,
    beta2: float,
    root: float,
    epsilon: float,
    decay: float | None,
) -> bool | None: ...

# -- losses: the value and the gradient. A weight is zero at masked steps.

def squared_error(
    y: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    weight: np.ndarray | None,
    mean: bool,
    parameter: float,
) -> tuple[float, np.ndarray] | None: ...
def half_squared_error(
    y: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    weight: np.ndarray | None,
    mean: bool,
    parameter: float,
) -> tuple[float, np.ndarray] | None: ...
def absolute_error(
    y: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    weight: np.ndarray | None,
    mean: bool,
    parameter: float,
) -> tuple[float, np.ndarray] | None: ...
def huber_error(
    y: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    weight: np.ndarray | None,
    mean: bool,
    parameter: float,
) -> tuple[float, np.ndarray] | None: ...
def sigmoid_crossentropy(
    y: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    weight: np.ndarray | None,
    mean: bool,
    parameter: float,
) -> tuple[float, np.ndarray] | None: ...
def softmax_crossentropy(
    y: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    weight: np.ndarray | None,
    mean: bool,
    parameter: float,
) -> tuple[float, np.ndarray] | None: ...

# Losses of whole sequences: they fill the terms (N,) and the gradient times ``scale`` (N,), and
# leave sequences of scale 0 alone. False if kernels cannot work on the arrays.
def ctc(
    y: np.ndarray,
    labels: np.ndarray,
    mask: np.ndarray | None,
    scale: np.ndarray,
    blank: int,
    terms: np.ndarray,
    dz: np.ndarray,
) -> bool: ...
def crf(
    y: np.ndarray,
    tags: np.ndarray,
    mask: np.ndarray | None,
    scale: np.ndarray,
    terms: np.ndarray,
    dy: np.ndarray,
) -> bool: ...
