"""Settings and fixtures for the tests, the doctests and the oracle suite."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

# Every run tries the same examples, and no example has a time limit: the clock decides nothing.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")

#: Files whose tests run once on every engine; all others run on the engine in use.
ON_EVERY_ENGINE = {
    f"test_{name}.py"
    for name in (
        "activations", "bptt", "gradcheck", "gradients", "gradients_losses", "layers",
        "layers_windows", "learning", "losses", "losses_custom", "losses_extremes", "network",
        "network_beam", "network_generation", "network_invariants", "network_passes",
        "network_predict", "network_prefixes", "network_stream", "network_stream_graphs",
        "old_files", "optimizers", "published_s1", "published_s2", "published_s3", "published_s4",
        "published_s5", "same_bits", "same_bits_graphs", "sequence_modes", "training",
        "training_clipping", "training_divergence", "training_evaluation",
        "training_samples_placeholders", "training_truncation",
    )
}  # fmt: skip


def pytest_configure() -> None:
    """Let tests press Ctrl-C; refuse to skip native tests if the native engine is required."""
    from throughtime.kernels import selection

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start a background job
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("THROUGHTIME_REQUIRE_NATIVE") == "1" and selection.problem():
        raise pytest.UsageError(
            f"THROUGHTIME_REQUIRE_NATIVE is 1, but there is no native engine: {selection.problem()}"
        )


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of ON_EVERY_ENGINE once on each; the name of a test ends with the engine."""
    from throughtime.kernels import selection

    if metafunc.definition.path.name in ON_EVERY_ENGINE:
        metafunc.parametrize("_engine", selection.available(), indirect=True)


@pytest.fixture(autouse=True)
def _engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Use the engine of a test of ON_EVERY_ENGINE."""
    name = getattr(request, "param", None)
    if name is None:
        yield
        return
    from throughtime.engines import engine

    with engine(name):
        yield


@pytest.fixture(autouse=True)
def _ctrl_c_works() -> Iterator[None]:
    """Restore what Ctrl-C does: a test that computes as a worker does leaves it ignored."""
    before = signal.getsignal(signal.SIGINT)
    yield
    if signal.getsignal(signal.SIGINT) is not before:
        signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _examples_write_elsewhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Run doctests in an empty folder, so that ``net.save("model.safetensors")`` leaves nothing."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("doctest"))
        yield
