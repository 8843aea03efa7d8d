"""R11: no opening decision on old data. Runs on monotonic wall time.

A quote is as fresh as its feed: an unchanged best price sends nothing, so the feed must have been alive (any frame
or pong) within the limit. Marks arrive every second and must themselves be fresh.
"""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.instruments import Pair
from bot.domain.market import feed_of
from bot.risk.verdicts import judge

RULE = "R11"


def check(book: Book, pair: Pair) -> Verdict:
    limit_s = book.config.limits.stale_s
    market, now = book.market, book.now.mono_ms
    worst, what = 0.0, "all fresh"
    for instrument in (pair.spot, pair.perp):
        alive = market.feed_alive_ms.get(feed_of(instrument))
        if alive is None or instrument.id not in market.quotes:
            return judge(RULE, ok=False, limit=limit_s, observed="never", detail=f"no quote of {instrument.id}")
        if market.quote_seen_ms.get(instrument.id, 0) <= market.feed_lost_ms.get(feed_of(instrument), -1):
            detail = f"no quote of {instrument.id} since its feed was lost"
            return judge(RULE, ok=False, limit=limit_s, observed="lost", detail=detail)
        worst, what = max((worst, what), ((now - alive) / 1000, f"feed of {instrument.id}"))
    seen = market.mark_seen_ms.get(pair.perp.id)
    if seen is None:
        return judge(RULE, ok=False, limit=limit_s, observed="never", detail=f"no mark of {pair.perp.id}")
    worst, what = max((worst, what), ((now - seen) / 1000, f"mark of {pair.perp.id}"))
    return judge(RULE, ok=worst <= limit_s, limit=limit_s, observed=worst, detail=f"seconds, {what}")
