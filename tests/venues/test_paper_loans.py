"""The contract of venues that lend, for the paper account: the live market's prices, modelled rates."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.simulator.wire.options import Endpoint
from tests.simulated import running as simulated
from tests.venues.conftest import streaming
from tests.venues.contract import Bench
from tests.venues.loan_contract import LoanContract, sold
from tests.venues.test_paper_contract import PaperBench, paper


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    with simulated(tmp_path / "exchange") as endpoint:
        bench = PaperBench(endpoint=endpoint)
        bench.venue = paper(endpoint, bench, tmp_path / "paper.db", borrows=True)
        async with streaming(bench):
            yield bench


class TestPaperLoans(LoanContract):
    async def test_a_negative_rate_makes_the_loan_dearer(self, bench: Bench) -> None:
        """The lender takes half of what the perpetual pays its longs."""
        prices = bench.venue.account.prices
        rates = {}
        for coin in ("BTC", "SOL"):
            (terms,) = [one async for one in bench.venue.lender.fetch_terms([coin])]
            paid = max(0.0, -float(prices.predicted_rate(f"{coin}USDT"))) / 8
            rates[coin] = float(terms.rate_per_h)
            assert rates[coin] == pytest.approx(0.10 / 8_760 + 0.5 * paid, rel=1e-3)


async def test_a_loan_outlives_the_daemon(simulator: Endpoint, tmp_path: Path) -> None:
    first = PaperBench(endpoint=simulator)
    first.venue = paper(simulator, first, tmp_path / "paper.db", borrows=True)
    async with streaming(first):
        await sold(first)
        before = (await first.venue.fetch_account()).balances["margin"]
    again = PaperBench(endpoint=simulator)
    again.venue = paper(simulator, again, tmp_path / "paper.db", borrows=True)
    async with streaming(again):
        assert (await again.venue.fetch_account()).balances["margin"] == before
