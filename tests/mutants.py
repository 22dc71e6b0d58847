"""What a mutant is, and the wrong lines of the options of recurrent layers; see ``mutate.py``."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A mistake: ``new`` replaces ``old``, which occurs once in ``file``."""

    name: str
    file: str
    old: str
    new: str
    wrong_forwards: bool = False  # and backward agrees with it, so gradient checks pass

    def of(self, text: str) -> str:
        """The text of the file with the mistake."""
        if text.count(self.old) != 1:
            raise LookupError(f"{self.old!r} must occur once in {self.file}; update the mutant")
        return text.replace(self.old, self.new)


OF_OPTIONS = [
    Mutant("normalisation: its mean missing", "cells/normalisation.py",
           "(d - mean - y * along)", "(d - y * along)"),
    Mutant("normalisation: its scale is no constant", "cells/normalisation.py",
           "(d - mean - y * along)", "(d - mean)"),
    Mutant("normalisation of the input missing on the way back", "bptt.py",
           "rows = normalise_backward(rows * p.g_x, w, k, cell.normalised)",
           "rows = rows * p.g_x"),
    Mutant("gain of the input overwritten", "bptt.py", "grad.g_x += ", "grad.g_x[...] = "),
    Mutant("gain of the input missing on the way back", "bptt.py",
           "normalise_backward(rows * p.g_x,", "normalise_backward(rows,"),
    Mutant("derivative at the clipped state", "bptt.py",
           "if self.proposed else self.state_at(t + 1)", "if False else self.state_at(t + 1)"),
    Mutant("zoneout stops the gradient", "bptt.py",
           "d + p for d, p in zip(d_previous, passed", "d for d, p in zip(d_previous, passed"),
    Mutant("masked step leaks into a cell's own parameters", "bptt.py",
           "da, *more = (np.where(real, d, 0) for d in (da, *more))", "da = np.where(real, da, 0)"),
    Mutant("a held unit learns", "cells/update.py",
           "(d - kept for d, kept in zip(dstate, passed, strict=True))", "dstate"),
    Mutant("a clipped h learns", "cells/update.py",
           "dh = np.where(abs(proposed[0]) < self.clip, dh, 0)", "pass"),
    Mutant("Elman: W_h of a normalised cell from da", "cells/norm_elman.py",
           "h_used.T @ more[0]", "h_used.T @ da"),
    Mutant("GRU: gain of n from da_n", "cells/norm_gru.py",
           "(dq * kept.w_n)", "(da[:, two:] * kept.w_n)"),
    Mutant("GRU: r and z normalised apart", "cells/norm_gru.py", "BOTH, ONE = (2,), (1,)",
           "BOTH, ONE = (1, 1), (1,)", True),
    Mutant("GRU, reset before: r missing", "cells/norm_gru.py",
           "dused * dropped(h_prev, drop), dused * r", "dused * dropped(h_prev, drop), dused"),
    Mutant("projection not transposed back", "cells/general_lstm.py",
           "dh if self.proj_size is None else dh @ p.W_r.T",
           "dh if self.proj_size is None else 0 * dh @ p.W_r.T"),
    Mutant("dW_r with c instead of m", "cells/general_lstm.py",
           "(k.o * k.phi).T @ dh", "k.phi.T @ dh"),
    Mutant("peephole of o with c_{t-1}", "cells/general_lstm.py", "du_o * c]", "du_o * c_prev]"),
    Mutant("no way back through the peephole of o", "cells/general_lstm.py",
           "dc = dc + du_o * p.W_c[n]", "pass"),
    Mutant("no way back through the peepholes of i and f", "cells/general_lstm.py",
           "dc_prev = dc_prev + sum(", "sum("),
    Mutant("a clipped memory learns", "cells/general_lstm.py",
           "dc = np.where(abs(c) < self.cell_clip, dc, 0)", "pass"),
    Mutant("the clip acts after the way back through the forget gate", "cells/general_lstm.py",
           "dc_prev = dc * f\n", "dc_prev = (dc if self.cell_clip is None else dv) * f\n"),
    Mutant("coupled gate without what it forgets", "cells/general_lstm.py",
           "dc * (k.g - c_prev)", "dc * k.g"),
    Mutant("normalised memory: its own scale missing", "cells/general_lstm.py",
           "normalise_backward(dv * p.g_c, k.c, k.c_scale, WHOLE)", "dv * p.g_c"),
    Mutant("gain of h_{t-1} from the normalised gradient", "cells/general_lstm.py",
           "grad.g_h += (da * k.r)", "grad.g_h += (dr * k.r)"),
    Mutant("dW_h from da", "cells/general_lstm.py", "h_used.T @ dr", "h_used.T @ da"),
]  # fmt: skip
