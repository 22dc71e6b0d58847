"""Lines that look right in two ways: off by one step or one season, at a tie, at a limit.

For each line of the package there are the wrong version and the test that detects it. ``python
tests/boundaries.py`` puts every wrong line into a copy of the package and runs that test;
``test_boundaries.py`` does the same.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from mutate import Copy, Mutant

HELPERS = (
    "averaging_cases.py",
    "network_cases.py",
    "option_cases.py",
    "source_cases.py",
    "test_training_divergence.py",
    "training_graphs.py",
)


class Boundary(NamedTuple):
    """A wrong line and the test that detects it."""

    file: str
    test: str
    mutant: Mutant


def wrong(name: str, file: str, old: str, new: str, test: str) -> Boundary:
    """A boundary from the line ``old`` of the package, the wrong line ``new``, and its test."""
    tests, _, own = test.partition("::")
    return Boundary(f"test_{tests}.py", f"test_{own}", Mutant(name, file, old, new))


BOUNDARIES = [
    wrong("a history of one season has a seasonal difference", "forecasting/baselines.py",
          "season if len(y) > season else 1", "season if len(y) >= season else 1",
          "forecasting_backtest::a_history_of_one_season_is_scaled_by_its_steps"),
    wrong("the first step of the validation block is learned from", "forecasting/sampling.py",
          "np.arange(horizon) < self.end[i]", "np.arange(horizon) <= self.end[i]",
          "forecasting::the_validation_block_is_not_learned_from"),
    wrong("gradients of what is frozen count in the norm", "training/step.py",
          "grads[self._frozen] = 0", "pass",
          "training::what_is_frozen_does_not_count_in_the_norm"),
    wrong("a chunk without a real step moves the weights", "training/step.py",
          "if not evaluation.weight > 0:", "if not evaluation.weight >= 0:",
          "training::a_chunk_without_a_real_step_moves_nothing"),
    wrong("a batch without a real step has a loss", "training/loop.py",
          "if mine.weight > 0:", "if mine.weight >= 0:",
          "training::a_batch_without_a_real_step_moves_nothing"),
    wrong("all parts of a batch have the same dropout", "training/parts.py",
          "[*seeds, k] if count > 1 else [*seeds]", "[*seeds]",
          "training_parts::every_part_has_dropout_of_its_own"),
    wrong("an epoch of a source ends where the one before did", "training/loop.py",
          "if self.supply.source is None:", "if state.batches is not None:",
          "training_sources::an_epoch_that_is_longer_than_the_one_before_is_not_whole_before_its_end"),
    wrong("a batch that waits changes when its source goes on", "training/sources.py",
          "return array.copy()", "return array",
          "training_sources::a_source_may_write_into_what_it_gave"),
    wrong("more batches wait than were asked for", "data/prefetch.py",
          "len(self._waiting) < self._depth", "len(self._waiting) < 9",
          "data_prefetch::no_more_is_made_than_asked"),
    wrong("blocks of equal lengths have no lengths", "training/mapped.py",
          "alike = len({shape[k][1] for shape, _ in blocks}) == 1", "alike = True",
          "training_mapped::ragged_files_are_put_into_buckets_by_their_lengths"),
    wrong("states go on over the end of an epoch", "training/loop.py",
          "self.carried.begin()", "pass",
          "training_carrying::the_first_batch_of_every_epoch_begins_with_the_initial_state"),
    wrong("the second part of a batch has the states of the first", "training/carrying.py",
          "first += len(part)", "first += 0",
          "training_carrying::shards_hand_on_the_states_of_their_own_rows"),
    wrong("states are not handed on in validation", "training/evaluation.py",
          "carried.take([evaluation.final_state])", "pass",
          "training_carrying::validation_and_evaluation_go_on_as_the_long_sequence_does"),
    wrong("an infinite mean square stays in the optimiser", "training/step.py",
          "self.optimizer.reset()", "pass",
          "training_step::an_optimiser_whose_moments_overflow_is_reset"),
    wrong("a stop in the last batch drops the epoch", "training/loop.py",
          "and not self._was_last(groups)", "",
          "training_callbacks::a_stop_in_the_last_batch_leaves_a_whole_epoch"),
    wrong("a step after the end of a shorter output counts", "training/targets.py",
          "np.arange(shape[1]) < found", "np.arange(shape[1]) <= found",
          "training_samples::outputs_of_their_own_lengths_are_scored_to_their_own_ends"),
    wrong("the weight of an output is missing in its gradient", "training/objective.py",
          "dy = dy * head.weight", "pass",
          "training_graphs::the_gradient_is_the_weighted_sum_of_those_of_the_outputs"),
    wrong("an activation that a layer needs is skipped", "training/objective.py",
          "or not net.topology.apart[k]", "or False",
          "training_graphs::an_output_that_a_layer_takes_is_computed_as_it_is"),
    wrong("a sample without one of its sequences is none", "training/objective.py",
          "found is None else found | real", "found is None else found & real",
          "training_graphs::a_sequence_counts_if_one_of_its_inputs_has_a_step"),
    wrong("every batch has the same weight", "training/scores.py",
          "else value * weight", "else value * self.weights[k]",
          "training_graphs::every_output_has_its_own_mean_over_the_batches"),
    wrong("a vector of the end is taken from the start", "training/truncation.py",
          "if reason is None and _needs_end(net, i):", "if False:",
          "training_truncation_graphs::what_cannot_be_cut"),
    wrong("gradients of the other calls of a layer are blamed", "training/divergence.py",
          "        values[...] = 0\n", "        pass\n",
          "training_divergence_graphs::backward_in_a_call_of_a_shared_layer"),
    wrong("the checksum of a file is without shapes", "serialization/container.py",
          "[name, little.dtype.str, little.shape]", "[name, little.dtype.str]",
          "serialization_container::an_array_of_another_shape_is_not_covered_by_the_checksum"),
    wrong("the checksum of data is without shapes", "training/fingerprint.py",
          'f"{array.dtype.str}{array.shape}"', 'f"{array.dtype.str}"',
          "training_checkpoints::data_of_another_shape_with_the_same_bytes_are_other_data"),
    wrong("the later of two equal maxima", "layers/pooling.py",
          "(old >= x)", "(old > x)",
          "network_stream::a_maximum_of_two_zeros_is_the_earlier_one"),
    wrong("a score as good as the best one is better", "optimizers/schedules.py",
          "return value > self._best + margin", "return value >= self._best + margin",
          "optimizers_schedules::plateau_takes_no_equal_value_for_a_better_one"),
    wrong("a loss as good as the best one is better", "optimizers/schedules.py",
          "return value < self._best - margin", "return value <= self._best - margin",
          "optimizers_schedules::plateau_takes_no_equal_value_for_a_better_one"),
    wrong("an epoch as good as the best one is better", "training/monitor.py",
          "self.sign * value < best - rule", "self.sign * value <= best - rule",
          "training_callbacks::an_equal_value_is_not_better"),
    wrong("a layer that drops nothing draws", "layers/dense.py",
          "return self.rate > 0", "return self.rate >= 0",
          "network::what_drops_nothing_draws_nothing"),
    wrong("a recurrent layer that drops nothing draws", "layers/recurrent.py",
          "return self.dropout > 0 or", "return self.dropout >= 0 or",
          "network::what_drops_nothing_draws_nothing"),
    wrong("a token that reaches the share is followed by one more", "network/sampling.py",
          "reached[:, :-1] >= top_p", "reached[:, :-1] > top_p",
          "network_sampling::exact_numbers_of_each_cut"),
    wrong("the end of a token's part of the line belongs to it", "network/sampling.py",
          "reached <= u[:, None]", "reached < u[:, None]",
          "network_sampling::a_token_is_drawn_where_its_share_of_the_line_is"),
    wrong("all rows share their random numbers", "network/sampling.py",
          "spawn_key=(row,)", "spawn_key=(0,)",
          "network_sampling::each_row_has_random_numbers_of_its_own"),
    wrong("the later of two equal continuations", "network/beam.py",
          "better = score > self.score", "better = score >= self.score",
          "network_beam::of_equal_continuations_the_one_with_smaller_tokens"),
    wrong("a continuation that has ended goes on", "network/beam.py",
          "extended[:, :, stop] = -np.inf", "pass",
          "network_beam::with_a_stop_and_a_length_penalty"),
    wrong("a search is over when no shorter one can score more", "network/beam.py",
          "bound = total[:, 0] / steps**length_penalty",
          "bound = total[:, 0] / (t + 1) ** length_penalty",
          "network_beam::with_a_stop_and_a_length_penalty"),
    wrong("the token that stopped a row is not in it", "network/generation.py",
          "count[rows[~going]] = t + 1", "count[rows[~going]] = t",
          "network_generation::a_stop_ends_each_row_at_its_own_token"),
    wrong("a short prefix reads one step of its padding", "network/prefixes.py",
          "for t in range(count):", "for t in range(min(count + 1, x.shape[1])):",
          "network_prefixes::it_is_to_predict_growing_targets_again"),
    wrong("training goes on with the average", "training/loop.py",
          "self.net.params.flat[...] = raw", "pass",
          "training_averaging::training_goes_on_with_the_raw_weights"),
    wrong("an average starts one epoch early", "training/averaging.py",
          "if run.epoch <= start:", "if run.epoch < start:",
          "training_averaging::a_stochastic_average_is_the_mean_of_what_it_takes"),
    wrong("a longer run keeps the average of the shorter one", "training/averaging.py",
          "            self.reset()  # a run", "            pass  # a run",
          "training_averaging_resumed::a_run_that_goes_on_for_more_epochs_starts_its_average_again"),
    wrong("a run that is new keeps the average of the last", "training/loop.py",
          "self.average.reset()", "pass",
          "training_averaging::a_new_run_forgets_the_average_of_the_last"),
    wrong("sums keep the scale of their largest weight", "training/metrics/running.py",
          "self._scale / scale)", "1.0)",
          "training_metrics_running::any_cut_gives_the_value_of_the_whole"),
    wrong("the rate of a loss is that of the next batch", "training/find_lr.py",
          "self.rates[len(losses)]", "self.rates[len(losses) - 1]",
          "training_find_lr::losses_are_those_of_an_update_with_each_rate"),
]  # fmt: skip


def main(part: int = 0, parts: int = 1) -> int:
    """Try every ``parts``-th line and print a table; return 1 if a test misses one."""
    chosen, missed = BOUNDARIES[part::parts], 0
    with tempfile.TemporaryDirectory() as folder:
        files = sorted({boundary.file for boundary in chosen})
        copy = Copy(Path(folder), files, HELPERS)
        for file, test, mutant in chosen:
            seen, how = copy.refutes(mutant, file, test)
            missed += not seen
            sys.stdout.write(f"{'seen' if seen else 'MISSED':<8} {mutant.name:<60} {how}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen)} wrong lines, {missed} missed\n")
    return int(missed > 0)


if __name__ == "__main__":
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["THROUGHTIME_ENGINE"] = "reference"
    sys.exit(main(*map(int, sys.argv[1:])))
