"""A coin is held in one direction at a time: at a venue both would share one perpetual position, and undo each other.

It has a say only where a coin can be borrowed; elsewhere there is one direction.
"""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.instruments import Pair
from bot.risk.verdicts import judge

RULE = "direction"


def check(book: Book, pair: Pair) -> list[Verdict]:
    if pair.key not in book.market.reverse:
        return []
    hedge = book.hedge_of(*pair.key)
    held = pair.structure.name if hedge is None else hedge.structure.name
    ok = hedge is None or hedge.direction == pair.structure.direction
    detail = f"direction in which {pair.coin} is held; it must be closed first"
    return [judge(RULE, ok=ok, limit=pair.structure.name, observed=held, detail=detail if not ok else "")]
