"""Does the suite detect wrong gradients? Put one mistake into the package, and run its tests.

Each mutant is a mistake that somebody has made: in another library, in a paper's listing, in a
student's first backward pass. ``python tests/mutate.py`` prints which ones the suite kills, and
fails if one survives; ``test_mutants.py`` runs it within the suite.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path
from typing import Any

import numpy.testing  # noqa: F401  # loaded once, for every fork
import pytest
from mutants import FIRST, OF_ATTENTION, OF_GRAPHS, OF_OPTIONS, OF_SCANS, Mutant

ROOT = Path(__file__).resolve().parent.parent

#: The tests that must kill every mutant; they stop at the first failure.
SUITE = (
    "test_cells.py", "test_bptt.py", "test_gradients.py", "test_gradients_losses.py",
    "test_training_truncation.py", "test_losses.py", "test_losses_sequence.py",
    "test_network_invariants.py", "test_network_passes.py", "test_network_plan.py",
    "test_network_freezing.py", "test_layers_distance.py",
    "test_layers_attention.py", "test_layers_normalization.py",
)  # fmt: skip
#: Test modules that SUITE imports.
HELPERS = (
    "drawn_graphs.py",
    "graph_cases.py",
    "loss_cases.py",
    "naive.py",
    "network_cases.py",
    "option_cases.py",
    "sequence_loss_cases.py",
)
#: Exit code of a run that imported another package instead of the copy.
NOT_THE_COPY = 99
#: First word of a line about a failed test.
CAUSE = "CAUSE"
#: Errors of assertions; the second is raised by ``pytest.raises`` if nothing was raised.
ASSERTIONS = ("AssertionError", "Failed")


H_USED = "dropped(tape.states[0][:-1], tape.drop)"
MUTANTS = [
    # -- the time loops
    Mutant("h_0 forgotten in dW_h", "bptt.py", H_USED,
           "dropped(tape.states[0][:-1] * (np.arange(steps) > 0)[:, None, None], tape.drop)"),
    Mutant("dW_h one step off", "bptt.py", H_USED, "dropped(tape.states[0][1:], tape.drop)"),
    Mutant("recurrent dropout missing in dW_h", "bptt.py", H_USED, "tape.states[0][:-1]"),
    Mutant("gradient of the last state dropped", "bptt.py",
           "for s in tape.states) if d_final is None else d_final", "for s in tape.states)"),
    Mutant("gradient of the initial state dropped", "bptt.py",
           "return dx[order].swapaxes(0, 1), dstate",
           "return dx[order].swapaxes(0, 1), tuple(0 * d for d in dstate)"),
    Mutant("masked step leaks into the weights", "bptt.py",
           "da, *more = (np.where(real, d, 0) for d in (da, *more))",
           "more = [np.where(real, d, 0) for d in more]"),
    Mutant("masked step stops the gradient", "bptt.py",
           "np.where(real, new, old) for new, old in zip(d_previous",
           "np.where(real, new, 0 * old) for new, old in zip(d_previous"),
    Mutant("gradient of a masked output counts", "bptt.py",
           "dy_t = np.where(real, dy_t, 0)", "pass"),
    Mutant("masked step moves the state", "bptt.py",
           "np.where(real, n, old) for n, old in zip(new", "n for n, old in zip(new"),
    Mutant("masked step has an output", "bptt.py",
           "y = np.where(mask_time[..., None], y, 0)", "pass"),
    Mutant("bias gradient missing at the first step", "bptt.py",
           "grad.b += rows.sum(axis=0)", "grad.b += da[1:].sum(axis=(0, 1))"),
    Mutant("bias gradient of one row", "bptt.py",
           "grad.b += rows.sum(axis=0)", "grad.b += da[:, 0].sum(axis=0)"),
    Mutant("time bias present at the first step", "bptt.py",
           "result = np.zeros((steps, batch)", "result = np.ones((steps, batch)", True),
    Mutant("time bias' gradient from the first step too", "bptt.py",
           "rows[tape.started.ravel()].sum(axis=0)", "rows.sum(axis=0)"),
    Mutant("time bias after a masked step", "bptt.py",
           "np.logical_or.accumulate(real[:-1], axis=0)", "True", True),
    Mutant("dL/dx in the order of the loop", "bptt.py",
           "return dx[order].swapaxes(0, 1)", "return dx.swapaxes(0, 1)"),
    Mutant("gradient overwritten instead of added", "bptt.py",
           "grad.W_x += _rows", "grad.W_x[...] = _rows"),
    # -- Elman
    Mutant("W_h not transposed", "cells/elman.py", "dz @ p.W_h.T", "dz @ p.W_h"),
    Mutant("derivative from the step before", "cells/elman.py",
           "(dh,), (h,) = dstate, state", "(dh,), (h,) = dstate, state_prev"),
    Mutant("recurrent dropout missing on the way back", "cells/elman.py",
           "dropped(dz @ p.W_h.T, drop)", "dz @ p.W_h.T"),
    # -- GRU
    Mutant("z and 1 - z swapped forwards", "cells/gru.py",
           "h = n + z * (h_prev - n)", "h = h_prev + z * (n - h_prev)"),
    Mutant("z and 1 - z swapped backwards", "cells/gru.py",
           "self.activation.backward(dh * (1 - z)", "self.activation.backward(dh * z"),
    Mutant("h_{t-1} missing in dz", "cells/gru.py", "dz = dh * (h_prev - n)", "dz = dh * -n"),
    Mutant("the direct path through z missing", "cells/gru.py",
           "(dh * z + dropped(dused, drop),)", "(dropped(dused, drop),)"),
    Mutant("gradient of the reset gate missing", "cells/gru.py",
           "dr = da_n * q\n", "dr = 0 * da_n\n"),
    Mutant("reset before: dropout missing in dr", "cells/gru.py",
           "dr = du * dropped(h_prev, drop)", "dr = du * h_prev"),
    Mutant("reset after: r missing in dW_hn", "cells/gru.py",
           "grad.W_h[:, two:] += h_used.T @ dq", "grad.W_h[:, two:] += h_used.T @ da_n"),
    Mutant("reset before: r missing in dW_hn", "cells/gru.py",
           "grad.W_h[:, two:] += q.T @ da_n", "grad.W_h[:, two:] += h_used.T @ da_n"),
    Mutant("one softmax over all gates", "cells/base.py",
           "activation(u.reshape(_by_gate(u, count)))", "activation(u)"),
    # -- LSTM
    Mutant("dc through the output gate missing", "cells/lstm.py",
           "dc = dc + self.activation.backward(dh * o, phi, state[1])", "pass"),
    Mutant("dc of the next step forgotten", "cells/lstm.py",
           "dc = dc + self.activation", "dc = self.activation"),
    Mutant("forget gate with c_t", "cells/lstm.py", "dc * c_prev", "dc * state[1]"),
    Mutant("output gate with c_t", "cells/lstm.py", "backward(dh * phi", "backward(dh * state[1]"),
    Mutant("the forget gate does not close the way back", "cells/lstm.py", "dc * f)", "dc)"),
    *OF_OPTIONS,
    *OF_GRAPHS,
    *OF_SCANS,
    *OF_ATTENTION,
    # -- activations and losses
    Mutant("diagonal softmax", "activations.py",
           "return y * (dy - inner) /", "return y * (1 - y) * dy + 0 * inner /"),
    Mutant("softmax without 1 / temperature", "activations.py",
           "return y * (dy - inner) / y.dtype.type(self.temperature)",
           "return y * (dy - inner)"),
    Mutant("gradient of the mean divided twice", "losses/base.py",
           "slope[here] = c[part] * derivative", "slope[here] = c[part] * derivative / len(rows)"),
    Mutant("focal: the factor is taken to be constant", "losses/focal.py",
           "g = t * fade * (self.gamma * p * _ratio(log_p, not_p) - 1.0)", "g = -t * fade"),
    Mutant("focal: diagonal softmax", "losses/focal.py",
           "g * not_p - p * (g.sum(axis=1, keepdims=True) - g)", "g * not_p"),
    Mutant("focal: yes and no swapped in the factor", "losses/focal.py",
           "fade_y, fade_n = n**self.gamma, y**self.gamma",
           "fade_n, fade_y = n**self.gamma, y**self.gamma"),
    Mutant("contrastive: pairs that differ are drawn together", "losses/regression.py",
           "target * y - (1.0 - target) * h", "target * y + (1.0 - target) * h"),
    Mutant("both inputs of a distance move alike", "layers/distance.py",
           "[dy * slope, -dy * slope]", "[dy * slope, dy * slope]"),
    Mutant("cosine distance: only the direction of the other", "layers/distance.py",
           "_divided(cosine * along_a - along_b, _length(a))", "_divided(-along_b, _length(a))"),
    Mutant("smoothed in the value alone", "losses/classification.py",
           "return term, p * (t.sum(axis=1, keepdims=True) - t) - t * not_p",
           "return term, p - shares(target, z.shape[1])"),
    # -- losses of whole sequences
    Mutant("factor of a sequence missing", "losses/sequence.py",
           "own_c[:, None, None] * derivative", "derivative"),
    Mutant("ctc: emission of the present step twice", "losses/ctc.py",
           "a[t] += b\n", "a[t] += b + log_y[t]\n"),
    Mutant("ctc: a blank is skipped between equal labels on the way back", "losses/ctc.py",
           "c[:, 2:] + ahead", "c[:, 2:]"),
    Mutant("ctc: no blank may be skipped on the way back", "losses/ctc.py",
           "c[:, 2:] + ahead", "c[:, 2:] + FAR"),
    Mutant("ctc: the end at the last label forgotten on the way back", "losses/ctc.py",
           "b[rows, end] = b[rows, np.maximum(end - 1, 0)] = 0.0", "b[rows, end] = 0.0"),
    Mutant("ctc: masked steps walk back", "losses/ctc.py",
           "b[...] = np.where(real[t], ", "b[...] = np.where(True, "),
    Mutant("ctc: p forgotten in dz", "losses/ctc.py",
           "dz = p * (1.0 - occupancy) - occupancy * not_p", "dz = -occupancy * not_p"),
    Mutant("crf: marginals of the last step at every step", "losses/crf.py",
           "pairs[:, t].sum(axis=2), p)", "p, p)"),
    Mutant("crf: filtered marginals instead of smoothed ones", "losses/crf.py",
           "p = np.where(mask[:, t, None], pairs[:, t].sum(axis=2), p)", "p = q[t].mean(axis=2)"),
    Mutant("crf: marginals summed over the wrong tag", "losses/crf.py",
           "pairs[:, t].sum(axis=2), p)", "pairs[:, t].sum(axis=1), p)"),
    Mutant("crf: masked steps forget the tag after them", "losses/crf.py",
           "p = np.where(mask[:, t, None], pairs[:, t]", "p = np.where(True, pairs[:, t]"),
    Mutant("crf: the tags themselves not subtracted", "losses/crf.py",
           "dm[place] -= 1.0", "dm[place] -= 0.0"),
    Mutant("crf: transitions learn from the start", "layers/crf.py",
           "between[rows, first] = 0", "pass"),
    Mutant("crf: scores learn from one tag before", "layers/crf.py",
           "dx = dm.sum(axis=2)", "dx = dm[:, :, 0]"),
    Mutant("crf: the end learns from padding", "layers/crf.py",
           "grad.end += dx[rows, last]", "grad.end += dx[:, -1]"),
    # -- layers and network
    Mutant("halves of a bidirectional layer swapped", "layers/recurrent.py",
           "half = slice(d * width, (d + 1) * width)",
           "half = slice((e := len(cache) - 1 - d) * width, (e + 1) * width)"),
    Mutant("a product of directions with their own outputs", "layers/merge.py",
           'outputs[::-1] if way == "mul"', 'outputs if way == "mul"'),
    Mutant("a mean of directions not halved", "layers/merge.py",
           'return dy if way == "sum" else dy * dy.dtype.type(0.5)', "return dy"),
    Mutant("learned initial state not learned", "layers/recurrent.py",
           "if self.learn_initial_state and not given:", "if False:"),
    Mutant("learned initial state learns from one row", "layers/recurrent.py",
           "[...] += d.sum(axis=0)", "[...] += d[0]"),
    Mutant("input dropout missing on the way back", "layers/recurrent.py",
           "(dx if dx is None or drop_x is None else dx * drop_x)", "dx"),
    Mutant("last output's gradient instead of the state's", "layers/recurrent.py",
           "d_cell, dy = (rest[0] + dy, *rest[1:]), None",
           "d_cell, dy = (dy, *rest[1:]), None"),
    Mutant("a repeated token learns once", "layers/dense.py",
           "np.add.at(grad.W, tokens, dy)", "grad.W[tokens] += dy"),
    Mutant("mean over padding", "layers/pooling.py",
           "else mask.sum(axis=1)", "else np.full(len(x), x.shape[1])", True),
    Mutant("gradient of a convolution's state dropped", "layers/convolution.py",
           "windows.send_back(du.reshape(u.shape), d_last)",
           "windows.send_back(du.reshape(u.shape))"),
    Mutant("windows that overlap overwrite", "layers/windows.py",
           "self.window.stride] += every", "self.window.stride] = every"),
    Mutant("dilation forgotten on the way back", "layers/windows.py",
           "first = j * self.window.dilation", "first = j"),
    Mutant("mean of a window not divided", "layers/window_pooling.py",
           "rows = windows.collect(dy) / dy.dtype.type(self.size)",
           "rows = windows.collect(dy)"),
    Mutant("maximum of a window sent to its first step", "layers/window_pooling.py",
           "np.put_along_axis(du, best,", "np.put_along_axis(du, best * 0,"),
    Mutant("mean of a layer norm without a gradient", "layers/normalization.py",
           "            dx -= _mean(dn)", "            pass"),
    Mutant("variance of a layer norm without a gradient", "layers/normalization.py",
           "dx = dn - n * _mean(dn * n)", "dx = dn.copy()"),
    Mutant("scale of a layer norm forgotten on the way back", "layers/normalization.py",
           "packed(dy * p.g if self.use_scale else dy)", "packed(dy)"),
    Mutant("scale of a layer norm overwritten", "layers/normalization.py",
           "grad.g += (dy * n)", "grad.g[...] = (dy * n)"),
    Mutant("bias of a layer norm with masked steps", "layers/normalization.py",
           "            dy = np.where(mask[..., None], dy, 0)", "            pass"),
    Mutant("a reversed sequence with its padding", "layers/rearranging.py",
           "return np.repeat(2 * ends - counts - 1, counts) - own",
           "return np.repeat(2 * ends - counts, counts) - own - 1 + (own == ends[-1] - 1)", True),
    Mutant("gradient of a slice at its own place", "layers/rearranging.py",
           "dx[taken] = dy[found]", "dx[taken] = dy[found][::-1]"),
    Mutant("a repeated step learns once", "layers/rearranging.py",
           "d_front += dy[:, k :: self.times]", "pass"),
    Mutant("gradient of features to the first ones", "layers/rearranging.py",
           "dx[..., self.start : self.stop] = dy if",
           "dx[..., : dy.shape[-1]] = dy if"),
    # -- the objective
    Mutant("gradient of the penalty twice", "training/objective.py",
           "W.dtype.type(l2) * W", "W.dtype.type(2 * l2) * W"),
    Mutant("fused softmax without 1 / temperature", "training/objective.py",
           "dy *= fusion.scale", "pass"),
    Mutant("truncated: state not carried", "training/truncation.py",
           "carried = _advance(net, x, mask, timed, (begin, start), carried, training, seed)\n",
           "carried = None\n"),
    Mutant("truncated: loss of the steps before the chunk too", "training/truncation.py",
           "weight[:, : first - start] = 0.0", "pass"),
    Mutant("truncated: back through k1 steps alone", "training/truncation.py",
           "end - max(k2, end - first)", "end - (end - first)"),
    Mutant("truncated: ragged rows not aligned", "training/truncation.py",
           'source = np.argsort(real, axis=1, kind="stable")',
           "source = np.tile(np.arange(real.shape[1]), (len(real), 1))"),
]  # fmt: skip


#: A test file, or the id of a test, and words that choose tests of it.
Tests = tuple[str, tuple[str, ...]]


class Plugin:
    """A plugin of pytest: chooses the tests with a word in their ids; records why tests fail."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.causes: list[str] = []

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Without words every test runs; a word that is in no id is an error."""
        for word in self.words:
            if not any(word in item.nodeid for item in items):
                raise pytest.UsageError(f"no test has {word!r} in its id; update FIRST")
        if self.words:
            items[:] = [item for item in items if any(word in item.nodeid for word in self.words)]

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        """Keep the error of a test that failed, and the file it came from."""
        last = call.excinfo.traceback[-1].path
        self.causes.append(f"{CAUSE}\t{node.name}\t{call.excinfo.typename}\t{last}")


class Copy:
    """A copy of the package and of tests in ``folder``, into which one mutant at a time is put.

    Parameters
    ----------
    folder : Path
        An empty folder.
    tests : sequence of str
        Test files.
    helpers : sequence of str
        Test modules that they import.
    option : str
        Option of pytest for the first run, without a mutant, which also compiles all modules.
    """

    def __init__(
        self,
        folder: Path,
        tests: Sequence[str] = SUITE,
        helpers: Sequence[str] = HELPERS,
        option: str = "--collect-only",
    ) -> None:
        self.folder = folder.resolve()
        self.source = self.folder / "src" / "throughtime"
        shutil.copytree(ROOT / "src" / "throughtime", self.source)
        (self.folder / "tests").mkdir()
        for name in (*tests, *helpers):
            shutil.copy(ROOT / "tests" / name, self.folder / "tests")
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        code, words = self.run([(name, ()) for name in tests], option)
        if code:
            raise RuntimeError(f"without a mutant, pytest {option} fails: {words}")
        sys.dont_write_bytecode = True

    def run(self, tests: Iterable[Tests], option: str) -> tuple[int, str]:
        """Run tests in a fork, where NumPy and pytest are loaded; return exit code and output."""
        said = self.folder / "said.txt"
        child = os.fork()
        if not child:
            with said.open("wb") as out:
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            os._exit(self._run_here(tests, option))
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), said.read_text("utf-8")

    def _run_here(self, tests: Iterable[Tests], option: str) -> int:
        # An editable install must not redirect the import away from the copy.
        plain = (BuiltinImporter, FrozenImporter, PathFinder)
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder in plain]
        sys.path.insert(0, str(self.source.parent))
        os.chdir(self.folder)
        # What unraisableexception collects at the end of a run takes longer than most of the tests.
        options = ["-q", "--tb=no", "-pno:cacheprovider", "-pno:unraisableexception", option]
        code: int = pytest.ExitCode.NO_TESTS_COLLECTED
        # One by one: collecting all of them takes longer than failing in the first.
        for name, words in tests:
            plugin = Plugin(words)
            code = int(pytest.main([*options, f"tests/{name}"], plugins=[plugin]))
            if code:
                break
        here = sys.modules["throughtime"].__file__
        sys.stdout.write("\n".join(plugin.causes))
        sys.stdout.flush()
        return code if here and here.startswith(str(self.folder)) else NOT_THE_COPY

    def run_on(self, mutant: Mutant, tests: Iterable[Tests], option: str) -> tuple[bool, str]:
        """Whether a test fails on a mutant, and the output of pytest."""
        path = self.source / mutant.file
        text = path.read_text("utf-8")
        path.write_text(mutant.of(text), "utf-8")
        try:
            code, words = self.run(tests, option)
        finally:
            path.write_text(text, "utf-8")
        if code not in (0, 1):  # 1: a test failed; other codes: the tests could not run
            raise RuntimeError(f"{mutant.name}: exit code {code}: {words}")
        return code == 1, words

    def kills(self, mutant: Mutant) -> tuple[bool, str]:
        """Whether an assertion of SUITE fails on a mutant, and in which test."""
        first = FIRST.get(mutant.file, {})
        if mutant.wrong_forwards:  # test_bptt.py has the cases of test_gradients.py
            first = {"test_bptt.py": first.get("test_gradients.py", ())}
        tests = [*first.items(), *((name, ()) for name in SUITE)]
        failed, words = self.run_on(mutant, tests, "--maxfail=1")
        killer = next((line for line in words.splitlines() if line.startswith("FAILED")), "")
        killer = killer.removeprefix("FAILED tests/")
        _, asserted, how = self.cause(words)
        return failed and asserted, killer if asserted or not failed else f"{killer}: {how}"

    def refutes(self, mutant: Mutant, file: str, test: str) -> tuple[bool, str]:
        """Whether an assertion of ``test`` fails on a mutant, and how the test ended."""
        failed, words = self.run_on(mutant, [(f"{file}::{test}", ())], "--maxfail=1")
        if not failed:
            return False, "it passes"
        name, asserted, how = self.cause(words)
        return name.partition("[")[0] == test and asserted, how

    def cause(self, words: str) -> tuple[str, bool, str]:
        """The test that failed, whether one of its assertions failed, and how it ended.

        An error inside the package does not count: the mutant must run, and an assertion must find
        its result wrong.
        """
        causes = [line.split("\t") for line in words.splitlines() if line.startswith(CAUSE)]
        if len(causes) != 1:
            return "", False, words
        _, name, kind, place = causes[0]
        inside = Path(place).is_relative_to(self.source)
        return name, kind in ASSERTIONS and not inside, f"{kind} in {Path(place).name}"


def run_script(name: str, part: int, parts: int) -> subprocess.CompletedProcess[str]:
    """Run a part of a script of this folder in a separate process, which may fork."""
    script = Path(__file__).with_name(name)
    return subprocess.run(
        [sys.executable, str(script), str(part), str(parts)],
        capture_output=True,
        text=True,
        check=False,
    )


def main(part: int = 0, parts: int = 1) -> int:
    """Try every ``parts``-th mutant and print a table; return 1 if one survives."""
    chosen = MUTANTS[part::parts]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for mutant in chosen:
            start = time.perf_counter()
            dead, killer = copy.kills(mutant)
            survivors += not dead
            word, seconds = "killed" if dead else "SURVIVED", time.perf_counter() - start
            sys.stdout.write(f"{word:<9} {mutant.name:<50} {seconds:5.1f} s  {killer}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survivors} of {len(chosen)} mutants killed\n")
    return int(survivors > 0)


if __name__ == "__main__":
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["THROUGHTIME_ENGINE"] = "reference"  # the engine that the mutants change
    sys.exit(main(*map(int, sys.argv[1:])))
