"""R13: the share of NAV at one venue, and what is put to use there by orders, open and unknown ones counted."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.numbers import ONE, ZERO
from bot.domain.orders import OrderIntent
from bot.domain.valuation import nav_usd, worst_usd
from bot.risk.verdicts import judge

RULE = "R13"


def lying_there(book: Book, nav: Decimal, venue: str) -> Decimal:
    """Share of NAV that is lost if the venue is: its balances and the unrealised P&L there."""
    return nav_usd(book, venue) / nav if nav > 0 else Decimal("Infinity")


def in_use(book: Book, nav: Decimal, venue: str, extra: Sequence[OrderIntent] = ()) -> Decimal:
    """Worst-case notional of the venue's hedges as a share of what the leverage ceiling allows in all."""
    allowed = nav * book.config.limits.leverage_ceiling
    worst = sum((worst_usd(book, hedge, extra) for hedge in book.live_hedges() if hedge.venue == venue), ZERO)
    return worst / allowed if allowed > 0 else Decimal("Infinity")


def check(book: Book, nav: Decimal, venue: str, extra: Sequence[OrderIntent] = ()) -> Verdict:
    """A cap of one is no cap: everything may lie at one venue, and R3 bounds what is in use."""
    cap = book.config.limits.per_venue_cap
    lying, used = lying_there(book, nav, venue), in_use(book, nav, venue, extra)
    what = "of NAV lies there; move funds away" if lying >= used else "of the leverage ceiling is in use there"
    return judge(RULE, ok=cap >= ONE or max(lying, used) <= cap, limit=cap, observed=max(lying, used), detail=what)
