"""What the tests, the doctests and the oracle suite share."""

from collections.abc import Iterator

import hypothesis
import pytest

# The same examples in every run, and no time limit on an example: the clock decides nothing.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


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
