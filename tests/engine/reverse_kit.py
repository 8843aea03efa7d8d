"""Scenes for the long side: negative rates, a margin wallet, and what the venue says of its loans."""

from decimal import Decimal
from typing import Any

import market_kit as kit
from playbook import (
    Play,
    Playbook,
    fills,
)

from bot.domain.config import CoreConfig, Limits
from bot.domain.events import Event, InterestCharged
from bot.domain.hedges import HedgeState, Interest
from bot.domain.market import SettledRate
from bot.domain.orders import Side
from bot.domain.time import HOUR_MS

D = Decimal
BOTH = ("cash_and_carry", "reverse_carry")


def config(**more: Any) -> CoreConfig:
    return kit.config(("BTC",), strategies=BOTH, limits=Limits(cash_rate=0), **more)


def scene(play: Play, rate: str = "-0.001", **more: Any) -> Playbook:
    book = play(config(**more)).scene("400000", "300000", rate=rate, margin_usdt="300000")
    book.rate = rate
    return book


def opened(play: Play, **more: Any) -> Playbook:
    """Half a bitcoin owed against half a bitcoin long, with nothing on its way."""
    book = scene(play, **more).run(8)
    assert book.hedge.state is HedgeState.HEDGED
    return book


def both_fill(book: Playbook) -> list[Event]:
    return [*fills("margin")(book), *fills("perp")(book)]


def terms(rate_year: str, available: str = "1000") -> Event:
    return kit.borrow_terms("BTC", rate_year, available)


def interest(amount: str, charged_ms: int, venue_id: str = "i1") -> InterestCharged:
    return InterestCharged(Interest(kit.VENUE, "main", "BTC", D(amount), D("0.00001"), charged_ms, venue_id))


def dearer(book: Playbook, price: str) -> None:
    """The coin rises; a long perpetual gains what the loan costs more, in another wallet."""
    for quote in kit.quotes("BTC", price):
        book.feed(quote)
    book.alive(price)


def bare(play: Play) -> Playbook:
    """A hedge with just the margin and collateral that it asked for, and plenty left in the spot wallet."""
    book = play(config()).scene("900000", "14600", rate="-0.001", margin_usdt="25500")
    book.rate = "-0.001"
    return book.run(8)


def paid_back_in_part(book: Playbook, held: Decimal) -> None:
    """Both legs of the hedge that owes are reduced together."""
    sold, bought = book.last("perp"), book.last("margin")
    assert (sold.side, bought.side, sold.reduce_only) == (Side.SELL, Side.BUY, True)
    assert 0 < book.hedge.target_base < held
    book.unmet.clear()


def settle(book: Playbook, rate: str, days: int) -> None:
    first = book.market_ms // (8 * HOUR_MS) + 1
    for number in range(days * 3):
        at_ms = (first + number) * 8 * HOUR_MS
        book.market_ms = at_ms
        book.feed(SettledRate(kit.perp_id("BTC"), at_ms, D(rate), 8 * 3600))
