r"""Convolution over time, and its derivative.

With the windows u_t of (W1) in :mod:`throughtime.layers.windows`, k steps of F features each,

    z_t = sum over j of u_{t,j} W_j + b                                         (W3)
    y_t = f(z_t)                                                                (W4)

with W_j (F, K) the weights of the j-th step of a window, the earliest first; W (k F, K) holds them
one below the other. As usual in this field, the window is not reversed. Backwards,

    dL/dz_t = f'(z_t) dL/dy_t                                                   (W4')
    dL/dW_j += sum over t of u_{t,j}^T dL/dz_t,   dL/db += sum over t of dL/dz_t
    dL/du_{t,j} = dL/dz_t W_j^T                                                 (W3')

and (W1') takes dL/du to the inputs. (W3) is one matrix product for all windows of a batch. On the
native engine a window gets the same bits whatever other windows there are.

LeCun et al. (1989), Neural Computation 1(4); causal and dilated: van den Oord et al. (2016),
arXiv:1609.03499.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import ACTIVATIONS, Identity
from throughtime.cells.base import State
from throughtime.errors import (
    InvalidArgumentError,
    ShapeError,
    check_array,
    check_bool,
    check_choice,
    check_int,
    describe,
    sentence,
)
from throughtime.initializers import INITIALIZERS
from throughtime.kernels.affine import affine, affine_backward
from throughtime.layers.base import LAYERS, UNTAPED, Call, Result, chosen
from throughtime.layers.forms import Form
from throughtime.layers.windows import LONGEST, Window, Windowed, find_windows


@LAYERS.register("Conv1D")
@dataclass(frozen=True)
class Conv1D(Windowed):
    """Convolve over time: y_t = f(sum over j of x_{t s + j d - p} W_j + b).

    Each sequence is convolved separately, from its first unmasked step to its last. Masked steps
    are removed first, so the steps around a hole become neighbours.

    Parameters
    ----------
    filters : int
        Number of outputs K of a step.
    kernel_size : int
        Number of steps k in a window.
    stride : int
        Distance s, in steps, from one window to the next.
    dilation : int
        Distance d between neighbouring steps of a window.
    padding : {"valid", "same", "causal"}
        "valid": only windows inside the sequence, (L - (k - 1) d - 1) // s + 1 for L steps.
        "same": zeros on both sides (an odd one after the end), ceil(L / s) outputs. "causal": zeros
        before the sequence, so that no output depends on a later step.
    activation : str, Activation or callable
        Activation f.
    use_bias : bool
        Whether to add a bias b.
    initializer : str, Initializer or callable
        Initializer of W (k F, K); the fan-in is that of a whole window.
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.
    l1, l2 : float, optional
        Penalties on W, added to those of the training call.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an option is none of these, or a window spans more than 1048576 steps.

    Notes
    -----
    With stride 1, "same" and "causal" give one output for each step of the input, and the mask
    stays the same. Otherwise the outputs of a sequence are at the start of its row, and the rest of
    the row is masked. "valid" refuses a sequence that is shorter than a window.

    With padding "causal" and stride 1 the layer also runs in streams and in truncated
    backpropagation. Its state is ``(past,)``: the last (k - 1) d inputs of each sequence, earliest
    first, as an array (N, (k - 1) d F); zeros by default. dL/d(past) is computed if a state was
    given.

    The windows of a batch are copied into one matrix: a pass takes k times the memory of its input.

    ``W.reshape(k, F, K)`` is the kernel of Keras, and transposed (2, 1, 0) the weight of PyTorch.

    Examples
    --------
    >>> import throughtime as tt
    >>> layers = [
    ...     tt.layers.Conv1D(8, 5, stride=2, activation="relu"),
    ...     tt.layers.GRU(4),
    ... ]
    >>> net = tt.Network(layers, n_features=3)
    >>> net.params["0.W"].shape
    (15, 8)
    >>> y, tape = net.forward(np.zeros((2, 11, 3)), lengths=[11, 6])
    >>> tape.outputs[0].shape
    (2, 4, 8)
    """

    filters: int
    kernel_size: int
    _: KW_ONLY
    stride: int = 1
    dilation: int = 1
    padding: str = "valid"
    activation: Any = chosen("identity", ACTIVATIONS)
    use_bias: bool = True
    initializer: Any = chosen("glorot_uniform", INITIALIZERS)
    lr_multiplier: float = 1.0
    l1: float | None = None
    l2: float | None = None

    shorter: ClassVar[str] = (
        "Set padding to 'same' or 'causal', make kernel_size or dilation smaller, or leave shorter"
        " sequences out."
    )

    def __post_init__(self) -> None:
        if self.activation is None:
            object.__setattr__(self, "activation", Identity())
        super().__post_init__()
        check_int("filters", self.filters, 1)
        for name in ("kernel_size", "stride", "dilation"):
            check_int(name, getattr(self, name), 1, LONGEST)
        check_choice("padding", self.padding, ("valid", "same", "causal"))
        check_bool("use_bias", self.use_bias)
        if self.window.span > LONGEST:
            expected = f"at most {(LONGEST - 1) // (self.kernel_size - 1)}"
            expected += f" with kernel_size={self.kernel_size}"
            hint = f"A window spans at most {LONGEST} steps."
            raise InvalidArgumentError(sentence("dilation", expected, self.dilation, hint))

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.stride, self.dilation, self.padding)

    @property
    def goes_on(self) -> bool:
        """Whether a sequence can be cut between any two steps, and continued from a state."""
        return self.window.in_place and (self.padding == "causal" or self.window.span == 1)

    def output_form(self, form: Form) -> Form:
        return Form("sequence", self.filters, self.window.output_steps(form.steps))

    def pass_size(self, form: Form, after: Form) -> int:
        windows = after.size // self.filters
        return self.kernel_size * form.features * windows + 3 * after.size

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"W": (self.kernel_size * form.features, self.filters)}
        return shapes | {"b": (self.filters,)} if self.use_bias else shapes

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        params["W"][...] = self.initializer(params["W"].shape, rng, params["W"].dtype)

    def check_state(
        self, state: Any, form: Form, batch: int, dtype: np.dtype, where: str
    ) -> State | None:
        if not self.goes_on or self.window.span == 1:
            super().check_state(state, form, batch, dtype, where)
        width = (self.window.span - 1) * form.features
        parts = [state] if isinstance(state, np.ndarray) else state
        if not isinstance(parts, tuple | list) or len(parts) != 1:
            raise ShapeError(
                sentence(
                    where, f"a tuple (past,) with past of shape ({batch}, {width})", describe(state)
                )
            )
        return (check_array(f"{where}: past", parts[0], shape=(batch, width), dtype=dtype),)

    # -- forward and backward -----------------------------------------------------------------

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        windows = find_windows(self.window, x, mask, state[0] if state else None)
        f, b = self.activation, p.b if self.use_bias else None
        z = affine(windows.u.reshape(-1, len(p.W)), p.W, b)  # (W3)
        rows = f(z) if len(z) else z  # (W4)
        final = None
        if self.goes_on and self.window.span > 1:
            final = (windows.last.reshape(len(x), -1),)
        cache = (p, windows, rows, z if f.needs_input else None, bool(state)) if call.keep else None
        return Result(windows.place(rows), windows.real, cache, final)

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        p, windows, rows, z, given = cache
        assert dy is not None
        u = windows.u
        du: np.ndarray | None = u
        if len(rows):  # otherwise there are no windows, and du is empty like u
            dz = self.activation.backward(windows.collect(dy), rows, z)  # (W4')
            db = grad.b if self.use_bias else None
            flat = u.reshape(-1, len(p.W))
            du = affine_backward(flat, p.W, dz, grad.W, db, inputs or given)  # (W3')
        if du is None:
            return None, None
        N, past = len(windows.steps), self.window.span - 1
        d_last = None if d_final is None else d_final[0].reshape(N, past, -1)
        d_steps = windows.send_back(du.reshape(u.shape), d_last)
        d_initial = (d_steps[:, :past].reshape(N, -1),) if given else None
        return (windows.inputs(d_steps) if inputs else None), d_initial

    # -- streams ------------------------------------------------------------------------------

    def stream_start(self, p: Any, rows: int, dtype: np.dtype) -> State:
        if self.window.span == 1:
            return ()
        features = len(p.W) // self.kernel_size
        return (np.zeros((rows, (self.window.span - 1) * features), dtype=dtype),)

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        result = self.forward(p, x[:, None], None, state, UNTAPED)
        return result.y[:, 0], result.final_state or ()

    def stream_after(self, x: np.ndarray, mask: np.ndarray | None, final_state: Any) -> State:
        return tuple(final_state or ())

    def stream_refusal(self) -> str | None:
        if self.goes_on:
            return None
        if self.stride > 1:
            return f"with stride {self.stride} it does not put out one step for each it takes"
        return (
            f"with padding {self.padding!r} its output at a step depends on later ones; with"
            " padding='causal' it does not"
        )
