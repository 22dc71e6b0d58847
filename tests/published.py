"""Errors of five published "recurrent network from scratch" systems, which ours must not contain.

S1  a lecture note, NumPy and JAX; its experiment is a damped oscillator
S2  slides with a small package; a noisy sine
S3  a notebook; the next number modulo 3
S4  a notebook; the next value of a sine, from windows, truncated
S5  the documentation of EpyNN's recurrent layer, and the library around it

Each error has a test with its name, which passes on the package, and mutants: our source with that
error in it. ``python tests/published.py`` runs the test on each of its mutants, and fails unless an
assertion of the test fails there; ``test_published_errors.py`` does the same.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from mutate import Copy, Mutant

HELPERS = ("published_oracle.py",)


class Change(NamedTuple):
    """Text that occurs once in a file of the package, and its replacement."""

    file: str
    old: str
    new: str


class Published(NamedTuple):
    """An error of a published system, the test with its name, and the error in our source."""

    error: str
    test: str
    changes: tuple[Change, ...]

    @property
    def file(self) -> str:
        """The file of the test; the second word of the test's name is the system."""
        return f"test_published_{self.test.split('_')[1]}.py"

    @property
    def mutants(self) -> list[Mutant]:
        """The mutants; each change alone is the error."""
        return [Mutant(self.error, *change) for change in self.changes]


BPTT, ELMAN, LOSS = "bptt.py", "cells/elman.py", "losses/base.py"
RULES, STEP = "optimizers/rules.py", "optimizers/base.py"
SLOPE = "slope[here] = c[part] * derivative"
W_H_T = "dz @ p.W_h.T"

ERRORS = [
    Published(
        "the derivative of softmax is only the diagonal of its Jacobian",
        "test_s1_softmax_derivative_is_the_whole_jacobian_not_its_diagonal",
        (Change("activations.py", "return y * (dy - inner) /",
                "return y * (1 - y) * dy + 0 * inner /"),),
    ),
    Published(
        "the time bias has a gradient at the first step, where it is absent",
        "test_s1_time_bias_has_no_gradient_at_the_first_step",
        (Change(BPTT, "rows[tape.started.ravel()].sum(axis=0)", "rows.sum(axis=0)"),),
    ),
    Published(
        "the mean over the batch is taken twice",
        "test_s1_batch_mean_is_taken_once",
        (
            Change(LOSS, SLOPE, f"{SLOPE} / real.shape[0]"),
            Change(BPTT, "rows = _rows(da)\n", "rows = _rows(da) / batch\n"),
        ),
    ),
    Published(
        "the gradient of the weight penalty is added once a time step",
        "test_s1_weight_penalty_counts_once_an_update_not_once_a_step",
        (Change("training/objective.py", "backward=backward, share=share)",
                "backward=backward, share=share * result.given.x.shape[1])"),),
    ),
    Published(
        "Adam sets its moments to zero at every epoch",
        "test_s1_adam_keeps_its_moments_from_epoch_to_epoch",
        (
            Change(STEP, 'self.epoch = check_int("epoch", epoch, 0)',
                   'self.epoch = check_int("epoch", epoch, 0)\n'
                   "        self._moments = {k: 0 * v for k, v in self._moments.items()}"),
            Change("training/step.py",
                   "epoch, 1), 0\n        self.optimizer.begin_epoch(self.epoch - 1)",
                   "epoch, 1), 0\n        self.optimizer.reset()"),
        ),
    ),
    Published(
        "Adam counts epochs in its bias correction",
        "test_s1_adam_counts_updates_not_epochs_in_its_bias_correction",
        (
            Change(RULES,
                   "free1 = 1.0 - self.beta1 ** (self.steps + 1)\n"
                   "        free2 = 1.0 - self.beta2 ** (self.steps + 1)",
                   "free1 = 1.0 - self.beta1 ** (self.epoch + 1)\n"
                   "        free2 = 1.0 - self.beta2 ** (self.epoch + 1)"),
        ),
    ),
    Published(
        "epsilon stands inside the square root",
        "test_s1_epsilon_stands_outside_the_square_root",
        (
            Change(RULES, "root = np.sqrt(total, out=self._scratch)\n        root += self.epsilon",
                   "root = np.sqrt(total + self.epsilon)"),
            Change(RULES, "np.sqrt(scale, out=root)\n        root += self.epsilon",
                   "np.sqrt(scale + self.epsilon, out=root)"),
            Change(RULES,
                   "root = np.sqrt(square, out=self._scratch)\n        root *= factor\n"
                   "        root += epsilon",
                   "root = np.sqrt(square * factor**2 + epsilon)"),
        ),
    ),
    Published(
        "Adagrad keeps one number for a row of weights",
        "test_s1_adagrad_keeps_one_sum_for_each_number_not_for_each_row",
        (Change(RULES, "total += self._squared(grads)", "total += grads @ grads"),),
    ),
    Published(
        "Adagrad takes the diagonal of g g^T, which a bias vector has not",
        "test_s1_adagrad_works_on_bias_vectors",
        (Change(RULES, "total += self._squared(grads)", "total += np.diagonal(grads @ grads.T)"),),
    ),
    Published(
        "the derivative of 1 / (1 + exp(-x)), by its parts, is NaN at -100 in float32",
        "test_s1_sigmoid_and_its_derivative_are_finite_at_minus_100_in_float32",
        (
            Change("activations.py", "return y * (1 - y)\n",
                   "e = 1 / y - 1\n        return e / (1 + e) ** 2\n"),
        ),
    ),
    Published(
        "the optimiser is called inside the backward loop",
        "test_s1_weights_change_after_the_backward_loop_not_inside_it",
        (Change(BPTT, "da[t], dstate, *others = step_back(tape, t, dstate)\n",
                "da[t], dstate, *others = step_back(tape, t, dstate)\n"
                "        p.W_h[...] -= 0.5 * tape.state_at(t)[0].T @ da[t]\n"),),
    ),
    Published(
        "recurrent gradients are divided by the number of steps",
        "test_s1_recurrent_gradients_are_sums_over_time_not_means",
        (Change(BPTT, "(grad, h_used, rows, ", "(grad, h_used, rows / steps, "),),
    ),
    Published(
        "extrapolation starts from the first step",
        "test_s1_extrapolation_goes_on_from_the_last_step",
        (Change("network/prefixes.py", "y = output_of(net, stream.warm_up(x, mask=mask))",
                "y = output_of(net, stream.warm_up(x[:, :1]))"),),
    ),
    Published(
        "all layers share one seed",
        "test_s1_layers_draw_from_streams_of_their_own",
        (
            Change("network/network.py",
                   "np.random.SeedSequence(self.seed).spawn(len(units))",
                   "[np.random.SeedSequence(self.seed)] * len(units)"),
            Change("layers/base.py", "np.random.PCG64(call.rng.integers(2**63))",
                   "np.random.PCG64(0)"),
        ),
    ),
    Published(
        "the training error compares shuffled outputs with targets that are not",
        "test_s1_training_scores_compare_each_output_with_its_own_target",
        (Change("training/loop.py", "scores.add(rows, found, part)",
                "scores.add(np.sort(rows), found, part)"),),
    ),
    Published(
        "all time steps share one activation object, which keeps only the last step",
        "test_s2_every_step_has_an_activation_of_its_own",
        (Change(BPTT, "proposed, update = tape.proposed_at(t), None",
                "proposed, update = tape.proposed_at(len(tape.x) - 1), None"),),
    ),
    Published(
        "W_h is not transposed in the backward recursion",
        "test_s2_w_h_is_transposed_in_the_backward_recursion",
        (Change(ELMAN, W_H_T, "dz @ p.W_h"),),
    ),
    Published(
        "the gradient of W_h is transposed",
        "test_s2_gradient_of_w_h_is_not_transposed",
        (Change("cells/base.py", "grad.W_h += h_used.T @ da", "grad.W_h += da.T @ h_used"),),
    ),
    Published(
        "the gradient of an output is used one step off",
        "test_s2_output_gradient_is_used_at_its_own_step",
        (
            Change(BPTT, "dy_t = dy_time[t]\n", "dy_t = dy_time[min(t + 1, steps - 1)]\n"),
            Change(BPTT, "dy_t = dy_time[t]\n", "dy_t = dy_time[max(t - 1, 0)]\n"),
        ),
    ),
    Published(
        "the loss is divided by T, its gradient is not",
        "test_s2_gradient_is_divided_by_t_as_the_loss_is",
        (Change(LOSS, SLOPE, "slope[here] = derivative"),),
    ),
    Published(
        "a trained network fails on a series longer than that of its training",
        "test_s2_a_trained_network_applies_to_a_longer_series",
        (
            Change("network/network.py",
                   "return check_input(self.topology, x, lengths, mask, self.dtype)",
                   "found = check_input(self.topology, x, lengths, mask, self.dtype)\n"
                   "        steps = found[0].shape[1]\n"
                   '        self.objects = getattr(self, "objects", [None] * steps)\n'
                   "        self.objects[steps - 1]  # an activation for each step\n"
                   "        return found"),
        ),
    ),
    Published(
        "the gradient of U is an inner product, one number for the whole matrix",
        "test_s3_gradient_of_u_is_a_matrix_not_one_scalar",
        (Change("cells/base.py", "grad.W_h += h_used.T @ da", "grad.W_h += np.vdot(h_used, da)"),),
    ),
    Published(
        "the backward step uses U instead of its transpose",
        "test_s3_backward_step_uses_u_transposed",
        (Change(ELMAN, W_H_T, "dz @ p.W_h"),),
    ),
    Published(
        "the number of nodes is ignored; it is always 10",
        "test_s3_node_count_is_respected",
        (Change("layers/recurrent.py", 'check_int("units", self.units, 1)',
                'object.__setattr__(self, "units", 10)'),),
    ),
    Published(
        "numbers are float128",
        "test_s3_there_is_no_float128",
        (
            Change("network/params.py", "(np.float32, np.float64)",
                   "(np.float32, np.float64, np.longdouble)"),
            Change(BPTT, "da = np.empty((steps, batch, p.W_x.shape[1]), dtype=tape.x.dtype)",
                   "da = np.empty((steps, batch, p.W_h.shape[1]), dtype=np.longdouble)"),
        ),
    ),
    Published(
        "0 log 0 is avoided by a special case, or is NaN",
        "test_s3_zero_times_log_zero_is_zero_without_a_special_case",
        (
            Change("losses/floors.py", "r = np.maximum(q, floor)",
                   "r = np.where(q == 0, 1 + q, q)"),
            Change("losses/floors.py", "r = np.maximum(q, floor)", "r = q"),
        ),
    ),
    Published(
        "the one task needs no memory, so it cannot see a broken backward pass",
        "test_s3_beside_the_task_without_memory_stand_tasks_that_need_it",
        (
            Change("data/tasks.py", "sums = digits.cumsum(axis=1) % modulus",
                   "sums = (digits + 1) % modulus"),
            Change("data/tasks.py", "y[:, delay:] = ids[:, : steps - delay]", "y[...] = ids"),
        ),
    ),
    Published(
        "the program does not run as written",
        "test_s4_the_experiment_runs",
        (Change("training/clipping.py", "np.clip(grads, -limit, limit, out=grads)",
                "np.clip(gradient, -limit, limit, out=grads)"),),
    ),
    Published(
        "weights are overwritten with the step instead of decreased by it",
        "test_s4_weights_are_decreased_by_the_step_not_overwritten_with_it",
        (
            Change(STEP, "params -= scratch", "params[...] = scratch"),
            Change(STEP, "params -= scratch", "params[...] = -scratch"),
        ),
    ),
    Published(
        "the Jacobian chain has a wrong matrix in it",
        "test_s4_jacobian_chain_has_w_h_in_every_link",
        (Change(ELMAN, W_H_T, "dz @ (p.W_x.T @ p.W_x)"), Change(ELMAN, W_H_T, "dz @ p.W_h")),
    ),
    Published(
        "the Jacobian chain has an elementwise product in it",
        "test_s4_jacobian_chain_is_a_matrix_product_not_an_elementwise_one",
        (Change(ELMAN, W_H_T, "dz * np.diagonal(p.W_h)"),),
    ),
    Published(
        "the score of repeating the last value, which is better, is not given",
        "test_s4_what_the_trivial_answer_scores_is_said",
        (
            Change("data/tasks.py", "half = float(np.mean((y - cut.x[:, -1]) ** 2)) / 2",
                   "half = float(np.mean((y - y.mean()) ** 2)) / 2"),
            Change("forecasting/backtest.py", '["forecast", *folds[0].naive, "smoothing alone"]',
                   '["forecast", "smoothing alone"]'),
        ),
    ),
    Published(
        "dropout stays on in prediction",
        "test_s5_dropout_is_off_in_prediction",
        (
            Change("layers/base.py",
                   "if rate == 0.0 or not call.training:\n        return None\n"
                   "    return (drawn(",
                   "if rate == 0.0:\n        return None\n"
                   "    call = call._replace(rng=call.rng or np.random.default_rng(0))\n"
                   "    return (drawn("),
        ),
    ),
    Published(
        "the derivative of softmax at temperature T lacks 1/T",
        "test_s5_softmax_derivative_has_one_over_temperature",
        (
            Change("activations.py", "return y * (dy - inner) / y.dtype.type(self.temperature)",
                   "return y * (dy - inner)"),
            Change("training/objective.py", "dy *= fusion.scale", "pass"),
        ),
    ),
    Published(
        "tanh, written with exponentials, is NaN at 800",
        "test_s5_tanh_of_800_is_1",
        (Change("activations.py", "return np.tanh(z)",
                "return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))"),),
    ),
    Published(
        "seed 0 counts as no seed",
        "test_s5_seed_0_is_a_seed",
        (
            Change("network/network.py", "np.random.SeedSequence(self.seed)",
                   "np.random.SeedSequence(self.seed or None)"),
            Change("training/supply.py",
                   "np.random.default_rng([SHUFFLE, options.seed, epoch])",
                   "np.random.default_rng(options.seed or None)"),
            Change("training/parts.py", "[*seeds, k] if count > 1 else [*seeds]",
                   "seeds[1] or None"),
            Change("data/tasks.py", 'np.random.default_rng(check_int("seed", seed, 0))',
                   "np.random.default_rng(seed or None)"),
        ),
    ),
    Published(
        "gradients are summed over the batch, so that a larger one takes a longer step",
        "test_s5_step_does_not_depend_on_the_batch_size",
        (Change(LOSS, SLOPE, f"{SLOPE} * real.shape[0]"),),
    ),
    Published(
        "the last batch is dropped where it is not full",
        "test_s5_last_partial_batch_is_used",
        (Change("data/batches.py", "return -(-n // size)", "return max(n // size, 1)"),),
    ),
    Published(
        "model files are pickles, which can run anything",
        "test_s5_model_files_are_no_pickles",
        (
            Change("network/storage.py",
                   "    arrays, config = read_container(path, KIND, VERSION)\n",
                   '    import pickle\n\n    with open(path, "rb") as file:\n'
                   "        return pickle.load(file)\n"),
            Change("network/storage.py",
                   "    write_container(path, dict(net.params), config, KIND, version)\n",
                   '    import pickle\n\n    with open(path, "wb") as file:\n'
                   "        pickle.dump(net.params.flat, file)\n"),
        ),
    ),
    Published(
        "clipping is said to prevent vanishing",
        "test_s5_clipping_does_not_help_a_gradient_that_vanishes",
        (
            Change("training/clipping.py", "if limit < norm < math.inf:",
                   "if 0 < norm < math.inf:"),
            Change("training/clipping.py", "np.clip(grads, -limit, limit, out=grads)",
                   "np.copysign(limit, grads, out=grads)"),
        ),
    ),
]  # fmt: skip

#: Changes that must not count as found: one changes no result, the others raise in the package.
CONTROLS = [
    Change(BPTT, "rows = _rows(da)\n", "rows = 1 * _rows(da)\n"),
    Change(BPTT, "rows = _rows(da)\n", "rows = _rows(unknown)\n"),
    Change(BPTT, "rows = _rows(da)\n", "assert steps < 0\n"),
]
CONTROLLED = ("test_published_s2.py", "test_s2_gradient_of_w_h_is_not_transposed")


def main(part: int = 0, parts: int = 1) -> int:
    """Try every ``parts``-th error and print a table; return 1 if a test misses one."""
    chosen = ERRORS[part::parts]
    files, missed = sorted({CONTROLLED[0], *(entry.file for entry in chosen)}), 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(
            Path(folder), files, HELPERS, "--maxfail=1"
        )  # without a mutant, every test passes
        for change in CONTROLS:
            if copy.refutes(Mutant("control", *change), *CONTROLLED)[0]:
                raise RuntimeError(f"a test counts {change.new!r} as an error that it found")
        for entry in chosen:
            for mutant in entry.mutants:
                refuted, how = copy.refutes(mutant, entry.file, entry.test)
                missed += not refuted
                word = "refuted" if refuted else "MISSED"
                sys.stdout.write(f"{word:<8} {entry.test:<76} {how}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{len(chosen)} errors, {missed} missed\n")
    return int(missed > 0)


if __name__ == "__main__":
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["THROUGHTIME_ENGINE"] = "reference"  # the engine that the mutants change
    sys.exit(main(*map(int, sys.argv[1:])))
