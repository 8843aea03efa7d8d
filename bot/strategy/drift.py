"""Drift: a hedge holds coins, so prices carry its dollars past the cap; the strategy sells back what the band asks.

Both legs are paid for every dollar that is trimmed and topped up again, so the least that keeps within R2's band is
the cheapest: from the band's far edge a step back, no further. R2 itself, which trims to the cap, is left with what
the strategy does not see to: a book that is halted, a cap that the owner has lowered, a jump.
"""

from collections.abc import Iterator
from decimal import Decimal

from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.limits import coin_cap_usd
from bot.domain.numbers import ONE, ZERO
from bot.domain.valuation import coins_usd, heard, price_of
from bot.strategy.propose import least_usd

JUMP_BANDS = 3
"""Beyond the cap by more than so many bands is no drift."""


def trims(book: Book, nav: Decimal) -> Iterator[tuple[Hedge, Decimal]]:
    """(hedge, smaller target in base units) of coins near the far edge of R2's band, in proportion over a coin."""
    limits, drift = book.config.limits, book.config.strategy.drift
    band = limits.per_coin_cap_band
    held = coins_usd(book)
    for hedge in book.live_hedges():
        cap, usd = coin_cap_usd(limits, hedge.coin, nav), held[hedge.coin]
        beyond = usd - cap
        if beyond <= 0 or hedge.state is not HedgeState.HEDGED or not heard(book, hedge):
            continue
        if not drift.trim_at * band * cap < beyond <= JUMP_BANDS * band * cap:
            continue
        pair, price = book.pair_of(hedge), price_of(book, hedge)
        if pair is None or not price:
            continue
        share = (ONE + drift.trim_to * band) * cap / usd
        cut = max(hedge.size_base * (ONE - share), least_usd(pair, price) / price)
        yield hedge, max(ZERO, hedge.size_base - cut)
