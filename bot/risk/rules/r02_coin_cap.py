"""R2: one-side notional in one coin, over all strategies and venues, counting open and unknown orders."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.hedges import Hedge
from bot.domain.limits import coin_cap_usd
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent
from bot.domain.valuation import price_of, worst_usd
from bot.risk.verdicts import Forced, judge

RULE = "R2"
BPS = Decimal("0.0001")
TRIM_TO = Decimal("0.98")
"""A trimmed coin ends this share of its cap, so that the next tick does not trim it again."""


def check(book: Book, nav: Decimal, coin: str, extra: Sequence[OrderIntent] = ()) -> Verdict:
    """Worst case of the coin's hedges with `extra` orders on top, should the price rise by the guard meanwhile."""
    held = sum((worst_usd(book, hedge, extra) for hedge in book.live_hedges() if hedge.coin == coin), ZERO)
    if extra:
        held *= 1 + book.config.execution.guard_bps * BPS
    cap = coin_cap_usd(book.config.limits, coin, nav)
    return judge(RULE, ok=held <= cap, limit=cap, observed=held, detail=f"one-side notional of {coin} in USD")


def forced(book: Book, nav: Decimal, hedge: Hedge, held: Decimal) -> Forced | None:
    """Trim a coin that is beyond its cap by more than the band, in proportion over its hedges.

    `held` is `staying_usd` of all live hedges of the coin: what is on its way out already counts as gone, and mostly
    the strategy has trimmed before (`bot.strategy.drift`).
    """
    limits = book.config.limits
    cap = coin_cap_usd(limits, hedge.coin, nav)
    if held <= cap * (1 + limits.per_coin_cap_band):
        return None
    target = min(hedge.target_base, hedge.size_base) * cap * TRIM_TO / held
    reason = f"{RULE}: {hedge.coin} drifted beyond its cap"
    return Forced(RULE, hedge.id, target, f"{cap:.0f}", f"{held:.0f}", reason) if price_of(book, hedge) else None
