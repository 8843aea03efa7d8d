"""R11: no opening decision on old data. Runs on monotonic wall time.

A quote is as fresh as its feed: an unchanged best price sends nothing, so the feed must have been alive (any frame
or pong) within the limit. One with an empty side is no price. Marks arrive every second and must themselves be fresh.
"""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.instruments import Pair
from bot.risk.verdicts import judge

RULE = "R11"


def allows(book: Book, pair: Pair) -> bool:
    age = _oldest(book, pair)[0]
    return not isinstance(age, str) and age <= book.config.limits.stale_s


def check(book: Book, pair: Pair) -> Verdict:
    age, words, name = _oldest(book, pair)
    return judge(
        RULE, ok=allows(book, pair), limit=book.config.limits.stale_s, observed=age, detail=words.format(name)
    )


def _oldest(book: Book, pair: Pair) -> tuple[float | str, str, str]:
    """(age in seconds, or in a word why there is none; what is so old, as a text around an instrument; which one)."""
    market, now = book.market, book.now.mono_ms
    worst = 0.0, "seconds, all fresh", ""
    for instrument in (one for one in (pair.spot, pair.perp) if one.trades):  # a closed market quotes nothing
        name, alive = instrument.id, market.feed_alive_ms.get(instrument.feed)
        if alive is None or name not in market.quotes:
            return "never", "no quote of {}", name
        if market.quote_seen_ms.get(name, 0) <= market.feed_lost_ms.get(instrument.feed, -1):
            return "lost", "no quote of {} since its feed was lost", name
        if name in market.one_sided:
            return "one side", "a side of the order book of {} is empty", name
        worst = max(worst, ((now - alive) / 1000, "seconds, feed of {}", name))
    seen = market.mark_seen_ms.get(pair.perp.id)
    if seen is None:
        return "never", "no mark of {}", pair.perp.id
    return max(worst, ((now - seen) / 1000, "seconds, mark of {}", pair.perp.id))
