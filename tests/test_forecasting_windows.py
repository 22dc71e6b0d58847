"""Where the windows of training and of validation lie."""

import pytest

from throughtime.forecasting.windows import validation_start


@pytest.mark.parametrize(
    ("horizon", "total", "held"),
    [
        (1, 100, 20),  # a fifth
        (12, 100, 36),  # three paths
        (12, 70, 24),  # two paths, as many as 40 % hold
        (12, 40, 12),  # one path
        (12, 29, 9),  # a third
        (50, 1000, 200),
        (1, 2, 1),
    ],
)
def test_the_validation_block(horizon: int, total: int, held: int) -> None:
    assert total - validation_start(horizon, total) == held
