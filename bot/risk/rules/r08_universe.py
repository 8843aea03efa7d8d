"""R8: only coins that the owner allows and that are liquid and old enough. Unknown liquidity is not enough."""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.config import Universe
from bot.domain.instruments import Pair
from bot.domain.market import Liquidity
from bot.domain.time import DAY_MS
from bot.risk.verdicts import judge

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
    if universe.coins and pair.coin not in universe.coins:
        return judge(RULE, ok=False, limit="universe.coins", observed=pair.coin, detail="not in the owner's list")
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
