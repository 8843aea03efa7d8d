"""The account's leverage setting of a perpetual bounds its position (Binance: -2027): no hedge is built beyond it."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play

from bot.domain.events import VenueListed
from bot.domain.instruments import Kind, MarginTier
from bot.domain.valuation import notional_usd

D = Decimal
HIGH = (MarginTier(D(0), D(10_000), 75, D("0.01"), D(0)), MarginTier(D(10_000), D(10**9), 20, D("0.02"), D(100)))
LOW = (MarginTier(D(0), D(10_000), 10, D("0.01"), D(0)), MarginTier(D(10_000), D(10**9), 5, D("0.02"), D(100)))


def listed(tiers: tuple[MarginTier, ...], leverage: int | None) -> VenueListed:
    known = kit.listing(("BTC",))
    instruments = tuple(
        replace(one, leverage=leverage) if one.kind is Kind.PERP else one for one in known.instruments
    )
    return replace(known, instruments=instruments, tiers=dict.fromkeys(known.tiers, tiers))


@pytest.mark.parametrize(
    ("tiers", "leverage", "bounded"),
    [(HIGH, 75, True), (HIGH, 20, False), (HIGH, None, False), (LOW, 10, True), (LOW, None, True), (LOW, 5, False)],
)
def test_a_hedge_stays_within_the_bracket_of_the_setting(
    play: Play, tiers: tuple[MarginTier, ...], leverage: int | None, bounded: bool
) -> None:
    """Of a million, five per cent: fifty thousand are wanted, of which the first bracket lets ten in.

    A coin that allows less than the usual 20x is set to less.
    """
    book = play().scene()
    book.feed(listed(tiers, leverage))
    book.run(60)
    held = notional_usd(book.state.book, book.hedge)
    assert (D(5_000) < held <= D(9_500)) if bounded else held > D(30_000), held
