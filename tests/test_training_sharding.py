"""Shards on executors: the bits of training depend on ``shards`` and not on who computes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import parallel_cases as cases
import pytest
import shard_cases as shards
from source_cases import CASES, LAST, Case, Everywhere, X, stack, to_maps, trained, vector

import throughtime as tt
from throughtime.errors import DivergedError, InvalidArgumentError, InvalidTypeError
from throughtime.parallel import team
from throughtime.training.options import BATCH_SIZE

SHARDED = {name: case for name, case in CASES.items() if "tbptt" not in case.options}
every_case = pytest.mark.parametrize("case", SHARDED.values(), ids=SHARDED)


def run(case, **options):
    """The bits of the weights, and the history."""
    options = {"batch_size": 4, "shards": 3, **options}
    weights, history = trained(case, **case.data, **options)
    return weights.tobytes(), {name: history[name] for name in history if name != "seconds"}


@pytest.fixture(scope="module")
def processes():
    with cases.processes(2)() as pool:
        yield pool


@pytest.fixture(scope="module")
def loky():
    with cases.loky_pool() as pool:
        yield pool


@pytest.fixture(scope="module")
def dask():
    with cases.dask_pool() as pool:
        yield pool


# -- the same bits ------------------------------------------------------------------------------


@every_case
def test_the_number_of_workers_does_not_matter(case):
    wanted = run(case)
    for workers in (1, 2, 4, None):
        assert run(case, executor=shards.Elsewhere(workers)) == wanted


@every_case
def test_the_order_of_the_workers_does_not_matter(case):
    assert run(case, shards=4, executor=shards.Late()) == run(case, shards=4)


@every_case
def test_in_processes(case, processes):
    assert run(case, executor=processes) == run(case)


@pytest.mark.parametrize("kind", ["loky", "dask"])
@pytest.mark.parametrize("name", ["inputs and outputs", "dropout", "lengths"])
def test_on_executors_of_others(kind, name, request):
    assert run(CASES[name], executor=request.getfixturevalue(kind)) == run(CASES[name])


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_executors_that_are_made(workers):
    case = CASES["dropout"]
    wanted = run(case, shards=4)
    assert run(case, shards=4, executor=partial(ThreadPoolExecutor, workers)) == wanted
    assert run(case, shards=4, executor=cases.processes(workers)) == wanted


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 99])
def test_any_number_of_shards(count):
    case = CASES["weights"]
    for batch_size in (4, None):
        wanted = run(case, shards=count, batch_size=batch_size)
        for workers in (1, 3, 4):
            executor = shards.Elsewhere(workers)
            assert run(case, shards=count, batch_size=batch_size, executor=executor) == wanted


def test_one_shard_is_the_batch():
    case = CASES["dropout"]
    assert run(case, shards=1) == run(case, shards=None)


@every_case
def test_shards_are_the_batch_to_rounding(case):
    if case.net().topology.draws:
        pytest.skip("each shard draws its own dropout")
    (_, found), (_, wanted) = (run(case, shards=n, batch_size=None, epochs=1) for n in (3, None))
    for name in ("loss", "grad_norm"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5)


# -- whatever the data come from -----------------------------------------------------------------


@every_case
def test_memory_maps(case, tmp_path, processes):
    mapped = replace(case, data=to_maps(case.data, tmp_path))
    wanted = run(case)
    for executor in (shards.Elsewhere(2), processes):
        weights, history = run(mapped, executor=executor)
        assert weights == wanted[0]
        assert history["loss"] == wanted[1]["loss"]


@every_case
def test_batches_from_a_source(case, processes):
    source = Case(case.net, {"batches": Everywhere(case.batches(5))}, case.options)
    own = {"batch_size": BATCH_SIZE}  # the source decides on it
    wanted = run(source, **own)
    for executor in (shards.Elsewhere(2), shards.Late(), processes):
        assert run(source, executor=executor, **own) == wanted
    weights, history = run(case, batch_size=5, shuffle=False)
    assert (wanted[0], wanted[1]["loss"]) == (weights, history["loss"])


OPTIONS = {
    "carry_state": {"carry_state": True, "batch_size": 5},
    "carry_state and reset": {
        "carry_state": True, "batch_size": 5, "reset": np.arange(10) % 3 == 0,
    },
    "carry_state from a state": {
        "carry_state": True, "batch_size": 5, "initial_state": [np.full((5, 4), 0.2), None],
    },
    "initial_state": {"initial_state": [np.linspace(-1, 1, 40).reshape(10, 4), None]},
    "bucket": {"bucket": True, "lengths": np.arange(10) % 5 + 1},
    "validation": {"validation": 0.3, "metrics": ["mae"]},
    "keep_outputs": {"keep_outputs": True},
    "accumulate": {"accumulate": 2, "batch_size": 2},
    "renew": {"renew": lambda epoch: (X * epoch, LAST)},
    "early stopping": {"callbacks": [tt.EarlyStopping(patience=1)], "epochs": 5},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name, processes, tmp_path):
    def net():
        return stack(tt.layers.GRU(4, dropout=0.2), tt.layers.Dense(1))

    case = Case(net, {"x": X, "y": LAST}, OPTIONS[name])
    options = {"batch_size": 4} | OPTIONS[name]
    wanted = run(case, **options)
    for executor in (shards.Elsewhere(2), shards.Late(4), processes):
        assert run(case, executor=executor, **options) == wanted
    if "renew" not in OPTIONS[name]:
        mapped = replace(case, data=to_maps(case.data, tmp_path))
        assert run(mapped, executor=processes, **options)[0] == wanted[0]


def test_accumulated_batches_have_the_bits_of_shards():
    case = CASES["dropout"]
    wanted = run(case, batch_size=8, shards=4)
    for executor in (None, shards.Elsewhere(3)):
        found = run(case, batch_size=2, accumulate=4, shards=None if executor is None else 1,
                    executor=executor)  # fmt: skip
        assert found == wanted


# -- checkpoints -----------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands in for the end of the process."""


def kill(run):
    if run.epoch == 2:
        raise Killed


def never(run):
    """As many callbacks as in the run that is killed."""


@pytest.mark.parametrize("before", [None, 1, 4])
@pytest.mark.parametrize("after", [None, 2])
def test_a_resumed_run_may_have_other_workers(before, after, tmp_path):
    case, executors = CASES["dropout"], [n and shards.Elsewhere(n) for n in (before, after)]
    options = {"shards": 4, "epochs": 5, "callbacks": [never]}
    wanted = run(case, **options)
    saved = options | {"checkpoint": tmp_path / "run"}
    with pytest.raises(Killed):
        run(case, executor=executors[0], **saved | {"callbacks": [kill]})
    assert run(case, executor=executors[1], resume=True, **saved) == wanted


# -- what is refused, and divergence -------------------------------------------------------------


def test_what_cannot_travel_is_refused_before_any_work(processes):
    def loss(y, target):
        return (y - target) ** 2, 2 * (y - target)

    begun = []
    net = vector()
    with pytest.raises(InvalidArgumentError) as error:
        tt.train(
            net, X, LAST, loss=loss, shards=2, executor=processes, verbose=False,
            callbacks=[lambda run: begun.append(run)],
        )  # fmt: skip
    text = str(error.value)
    assert text.startswith("what the workers need cannot be pickled: ")
    assert text.endswith(f". {team.WAY}")
    assert not begun
    assert net.params.flat.tobytes() == vector().params.flat.tobytes()


def test_metrics_and_callbacks_do_not_travel(processes, tmp_path):
    case, seen = CASES["vector"], []
    options = {
        "metrics": [lambda y, target: float(np.abs(y - target).max())],
        "callbacks": [lambda run: seen.append(run.epoch)],
    }
    for data in (case.data, to_maps(case.data, tmp_path)):
        own = replace(case, data=data)
        assert run(own, executor=processes, **options) == run(own, **options)
    assert seen == [1, 2] * 4


def test_arguments_that_do_not_fit():
    with pytest.raises(InvalidTypeError) as error:
        tt.train(vector(), X, LAST, executor=3, shards=2)
    assert str(error.value) == (
        "executor must be None, an executor with submit(), or a function without arguments that"
        " makes one; got 3. Write functools.partial(concurrent.futures.ProcessPoolExecutor, 4) for"
        " 4 processes."
    )
    with pytest.raises(InvalidArgumentError) as error:
        tt.train(vector(), X, LAST, executor=shards.Elsewhere(2))
    assert str(error.value) == (
        "shards must be given where executor is given; got None. The trained bits depend on it, and"
        " not on the workers: try shards=8."
    )


FAR = np.full_like(LAST, -1000.0)
DIVERGING = {
    "the output of layer 0 (GRU) became NaN at time step 1": {"optimizer": tt.optimizers.SGD(1e30)},
    "the derivative of the loss is infinite": {"y": FAR, "loss": shards.Steep(1e37)},
    "the sum of the gradients overflowed": {"y": FAR, "loss": shards.Steep(3e35)},
    "the penalty on the weights overflowed": {"l2": 1e308},
}


@pytest.mark.parametrize("origin", DIVERGING)
def test_divergence_is_told_as_without_workers(origin, processes):
    def told(executor):
        net = vector(activation="relu")
        options = {"x": X, "y": LAST, "shards": 2, "batch_size": 4} | DIVERGING[origin]
        with pytest.raises(DivergedError) as error:
            tt.train(net, executor=executor, verbose=False, **options)
        return str(error.value), net.params.flat.tobytes()

    wanted = told(None)
    assert origin in wanted[0]
    for executor in (shards.Elsewhere(2), processes):
        assert told(executor) == wanted
