"""R1c: close a hedge that pays too much funding before R1's days have run. Runs on market time."""

from decimal import Decimal

from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Kind
from bot.domain.numbers import ZERO
from bot.domain.time import HOUR_MS
from bot.risk.verdicts import Forced

RULE = "R1c"


def paid_share(book: Book, hedge: Hedge, perp: str) -> Decimal:
    """Net funding that the hedge's direction paid over the trailing window since it was opened, of notional."""
    window_ms = int(book.config.limits.funding_stop.window_h * HOUR_MS)
    since = max(book.now.market_ms - window_ms, hedge.opened_ms)
    received = ZERO
    for rate in reversed(book.market.rates.get(perp, ())):
        if rate.settled_ms <= since:
            break
        received += rate.rate
    return -hedge.structure.facing(received)


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
