"""A sweep over a Dask cluster on loopback gives what this process gives; a cluster that cannot be used is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_kit import START_MS, make

from bot.domain.time import DAY_MS
from bot.research.sweep import pools
from bot.research.sweep.grid import Axis
from bot.research.sweep.pools import DaskPool, LocalPool, PoolError
from bot.research.sweep.run import Plan, sweep
from bot.research.sweep.tasks import Setup

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as running:
        yield running.scheduler_address


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    folder = make(tmp_path, coins=("BTC", "ETH"), days=12)
    axes = (Axis("limits.per_coin_cap", ("0.05", "0.1")), Axis("limits.liquidation.min", ("0.15", "0.3")))
    return Plan(Setup(folder), None, axes, START_MS, START_MS + 10 * DAY_MS)


def test_the_same_results_as_here(cluster: str, plan: Plan) -> None:
    found = sweep(plan, DaskPool(cluster))
    assert found == sweep(plan, LocalPool(1))
    assert found[0].score is not None


def test_a_worker_with_another_program_is_named(cluster: str, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = pools.program_digest()
    calls = iter(["changed since"])
    monkeypatch.setattr(pools, "program_digest", Digest(calls, ours))
    with pytest.raises(PoolError, match="runs another version of this program"):
        sweep(plan, DaskPool(cluster))


class Digest:
    """Here it tells something else than on the workers."""

    def __init__(self, here: Iterator[str], there: str) -> None:
        self.here, self.there = here, there

    def __call__(self) -> str:
        return next(self.here, self.there)

    def __reduce__(self):
        return Digest, (iter(()), self.there)


def test_no_scheduler(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "CONNECT_S", 0.5)
    with pytest.raises(PoolError, match="no Dask scheduler answers"):
        sweep(plan, DaskPool("tcp://127.0.0.1:9"))
