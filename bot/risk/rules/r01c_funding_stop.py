"""R1c: close a hedge that pays too much funding before R1's days have run. Runs on market time."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.book import Book
from bot.domain.guards import Received
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Kind
from bot.domain.market import SettledRate
from bot.domain.numbers import ZERO
from bot.domain.time import HOUR_MS, YEAR_H
from bot.risk.verdicts import Forced

RULE = "R1c"


def paid_share(book: Book, hedge: Hedge, perp: str) -> Decimal:
    """Net funding that the hedge's direction paid over the trailing window since it was opened, of notional."""
    window_ms = int(book.config.limits.funding_stop.window_h * HOUR_MS)
    since = max(book.now.market_ms - window_ms, hedge.opened_ms)
    rates = book.market.rates.get(perp)
    if not rates:
        return ZERO
    known = book.guards.received.get(perp)
    if known is None or known.newest is not rates[-1] or not known.before_ms <= since < known.first_ms:
        known = book.guards.received[perp] = _received(rates, since)
    return -hedge.structure.facing(known.rates)


def _received(rates: Sequence[SettledRate], since_ms: int) -> Received:
    total, first_ms = ZERO, rates[-1].settled_ms + YEAR_H * HOUR_MS
    for rate in reversed(rates):
        if rate.settled_ms <= since_ms:
            return Received(rates[-1], rate.settled_ms, first_ms, total)
        total, first_ms = total + rate.rate, rate.settled_ms
    return Received(rates[-1], 0, first_ms, total)


def forced(book: Book, hedge: Hedge) -> Forced | None:
    stop = book.config.limits.funding_stop
    if hedge.state is HedgeState.CLOSING:
        return None
    for leg in hedge.legs:
        if leg.kind is not Kind.PERP:
            continue
        paid = paid_share(book, hedge, leg.instrument)
        mark = book.market.marks.get(leg.instrument)
        coming = -hedge.structure.facing(mark.predicted_rate) if mark is not None else ZERO
        worst = max(paid, coming)
        if worst > stop.share:
            what = "predicted rate" if coming > paid else f"funding paid in {stop.window_h:g} h"
            return Forced(
                RULE, hedge.id, Decimal(0), f"{stop.share}", f"{worst:.6f}", f"{RULE}: {what} above {stop.share}"
            )
    return None
