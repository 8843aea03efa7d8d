"""The same random runs where rates are negative and coins can be borrowed: both directions, one set of invariants."""

from decimal import Decimal

import market_kit as kit
import pytest
from test_engine_invariants import COINS, Watched, ends_whole, run
from tiny_venue import TinyVenue

from bot.domain.config import ReverseCarry
from bot.domain.events import Event, LoanRecalled
from bot.domain.instruments import Instrument
from bot.domain.orders import Purpose

SEEDS = range(100, 112)


class Borrowing(Watched):
    """Negative rates; terms change and run out, loans are recalled, interest is charged and told more than once."""

    def __init__(self, seed: int) -> None:
        loans = ReverseCarry(recall_pause_h=0.2)
        super().__init__(seed, strategies=("cash_and_carry", "reverse_carry"), reverse_carry=loans)
        self.rate = "-0.002"

    def begin(self) -> dict[str, str]:
        self.scene("500000", "200000", rate=self.rate, margin_usdt="300000")
        return {"spot": "500000", "perp": "200000", "margin": "300000"}

    def unheard(self, instrument: Instrument) -> Decimal:
        """Four days at most, at the rate that is asked now, on the most that this hour's hedges can owe."""
        terms = self.state.market.borrow[instrument.venue, instrument.base_asset]
        owed_usd = 200_000 + 50_000
        return terms.rate_per_h * 96 * owed_usd / self.prices[instrument.coin]

    def news(self, venue: TinyVenue, *, calm: bool) -> list[Event]:
        told: list[Event] = venue.charge(Decimal("0.00002"), self.market_ms) if self.dice.random() < 0.2 else []
        for coin in COINS:
            pool = 10**12 if calm else self.dice.choice([0, 1, 10**12, 10**12])
            rate = "0.1" if calm else self.dice.choice(["0.1", "0.1", "0.5", "3"])
            told.append(kit.borrow_terms(coin, rate, str(pool)))
        if not calm and self.dice.random() < 0.03:
            told.append(LoanRecalled(kit.VENUE, self.dice.choice(COINS), self.market_ms + 3_600_000, "test"))
        return told


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_what_is_owed_is_hedged_and_booked(seed: int) -> None:
    book, venue = run(seed, make=Borrowing)
    ends_whole(book, venue, seed)
    owed = {asset for (wallet, asset), amount in venue.wallets.items() if wallet == "margin" and amount < 0}
    for hedge in book.state.book.live_hedges():
        if hedge.direction < 0 and hedge.size_base:
            owed.discard(hedge.coin)
    for asset in owed:
        left = -venue.wallets["margin", asset] * book.prices[asset]
        assert left < 6, f"seed {seed}: {left} USD of {asset} is owed by no hedge"


def test_the_runs_borrow_repair_and_repay() -> None:
    sent = [intent for seed in (101, 102, 103) for intent in run(seed, make=Borrowing)[0].sent]
    lent = {intent.purpose for intent in sent if intent.instrument.endswith(":margin")}
    assert lent >= {Purpose.OPEN, Purpose.COMPLETE, Purpose.UNWIND, Purpose.CLOSE}


def test_interest_is_booked_exactly_once() -> None:
    book, venue = run(104, make=Borrowing)
    booked = sum(
        amount for (account, _), amount in book.state.ledger.balances.items() if account.startswith("interest:")
    )
    assert booked > 0
    for (wallet, asset), amount in venue.wallets.items():
        assert book.balance(f"venue:binance:{wallet}", asset) == amount
