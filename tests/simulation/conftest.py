"""What tests of simulations share."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from simulation import workers


@pytest.fixture(scope="module")
def in_one_process():
    """Makers that work in this process: another would import abTEM first, for 4 s. The makers of `smoke` have some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "ProcessPoolExecutor", lambda count, context, initializer: ThreadPoolExecutor(1))
        yield
