"""R8: only coins that the owner allows and that are liquid and old enough. Unknown liquidity is not enough.

Held: a coin of which the venue has announced that it ends trading, of either leg, is closed at once, while there is
still a market. Where one leg's market is closed already, the other is kept as well: alone it would be naked.
"""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.config import Universe
from bot.domain.hedges import Hedge
from bot.domain.instruments import Pair
from bot.domain.market import Liquidity
from bot.domain.time import DAY_MS
from bot.risk.verdicts import Forced, judge

RULE = "R8"


def check(book: Book, pair: Pair) -> Verdict:
    refused = refusal(book, pair)
    if refused is not None:
        return refused
    return judge(RULE, ok=True, limit="universe", observed=pair.coin, detail="volume, depth, open interest and age")


def known(book: Book, pair: Pair) -> bool:
    """Whether the liquidity of both legs is known: after a restart it comes a moment after the first decision."""
    return pair.spot.id in book.market.liquidity and pair.perp.id in book.market.liquidity


def refusal(book: Book, pair: Pair) -> Verdict | None:
    universe = book.config.universe
    if not pair.trades:
        closed = pair.perp if pair.spot.trades else pair.spot
        return judge(RULE, ok=False, limit="both legs trade", observed=closed.id, detail="the venue takes no orders")
    for leg in (pair.spot, pair.perp):
        if leg.barred:
            return judge(RULE, ok=False, limit="set up to open", observed=leg.id, detail=leg.barred)
    ends_ms = _ends_ms(pair)
    if ends_ms:
        return judge(
            RULE, ok=False, limit="no announced end", observed=ends_ms, detail="market time at which it ends"
        )
    if universe.coins and pair.coin not in universe.coins:
        return judge(RULE, ok=False, limit="universe.coins", observed=pair.coin, detail="not in the owner's list")
    name, wanted = pair.structure.name, book.config.strategies
    if name not in wanted and not pair.structure.owes:  # of loans R9 speaks
        return judge(RULE, ok=False, limit="strategies", observed=f"no {name}", detail="strategies in use")
    if pair.coin in universe.exclude:
        return judge(RULE, ok=False, limit="universe.exclude", observed=pair.coin, detail="excluded by the owner")
    age_days = (book.now.market_ms - max(pair.spot.listed_ms, pair.perp.listed_ms)) / DAY_MS
    if age_days < universe.listing_age_days_min:
        return judge(
            RULE, ok=False, limit=universe.listing_age_days_min, observed=age_days, detail="days since listing"
        )
    for instrument in (pair.spot, pair.perp):
        refused = _illiquid(universe, instrument.id, book.market.liquidity.get(instrument.id))
        if refused is not None:
            return refused
    return None


def _ends_ms(pair: Pair) -> int:
    """When the first of both legs ends, 0 if no end is announced."""
    return min((one.ends_ms for one in (pair.spot, pair.perp) if one.ends_ms), default=0)


def forced(book: Book, hedge: Hedge) -> Forced | None:
    pair = book.pair_of(hedge)
    if pair is None or not (ends_ms := _ends_ms(pair)):
        return None
    why = f"{RULE}: the venue ends trading of {hedge.coin}"
    return Forced(RULE, hedge.id, Decimal(0), "no announced end", str(ends_ms), why)


def _illiquid(universe: Universe, name: str, liquidity: Liquidity | None) -> Verdict | None:
    if liquidity is None:
        return judge(
            RULE, ok=False, limit="known liquidity", observed="unknown", detail=f"no volume and depth of {name} yet"
        )
    measures = (
        ("24 h volume", liquidity.volume_usd, universe.volume_usd_min),
        ("depth within 10 bps", liquidity.depth_usd, universe.depth_usd_min),
        ("open interest", liquidity.open_interest_usd, universe.open_interest_usd_min),
    )
    for what, observed, limit in measures:
        if observed is not None and observed < limit:
            return judge(RULE, ok=False, limit=limit, observed=observed, detail=f"{what} of {name} in USD")
    return None
