"""Each symbol's filters: facts of the venue where they are known, a stated rule from the price where not.

Perpetuals: tick, lot, largest quantity, least notional, price band, funding cap and listing time as in the
venue's public exchange and funding information of July 2026 (BTC's least notional as of August 2025, 100
USDT). The re-dated SOL22USDT has what SOLUSDT had in November 2022. Spot of BTC and ETH: August 2025. Any
other tick is the power of ten nearest to 1 bps of the price, any other lot the one nearest to 0.1 USD (spot)
or 1 USD (perpetual) of the coin, at most one unit.
"""

import math
from dataclasses import dataclass
from decimal import Decimal

from bot.simulator.market.table import DAY_MS
from bot.simulator.market.tiers import tiers_for
from bot.simulator.model import Book, Listing

QUOTE = "USDT"
_PERPS = """
AAVEUSDT 0.01 0.1 1000000 5 1.1 0.9 0.0075 1602831600000
ACEUSDT 0.00001 0.01 5000000 5 1.15 0.85 0.02 1702893600000
ADAUSDT 0.0001 1 30000000 5 1.05 0.95 0.00375 1580457600000
APTUSDT 0.0001 0.1 2000000 5 1.1 0.9 0.02 1666076400000
ARBUSDT 0.00001 0.1 60000000 5 1.15 0.85 0.02 1679554800000
ATOMUSDT 0.001 0.01 2000000 5 1.1 0.9 0.02 1581077400000
AVAXUSDT 0.001 1 500000 5 1.1 0.9 0.00375 1600844400000
BANANAUSDT 0.001 0.1 200000 5 1.15 0.85 0.02 1723687200000
BNBUSDT 0.01 0.01 100000 5 1.05 0.95 0.00375 1581321600000
BTCUSDT 0.1 0.001 1000 100 1.05 0.95 0.003 1567965300000
DOGEUSDT 0.00001 1 300000000 5 1.1 0.9 0.004875 1594371600000
DOTUSDT 0.001 0.1 3000000 5 1.05 0.95 0.004875 1598079600000
ETHUSDT 0.01 0.001 10000 20 1.05 0.95 0.003 1574840700000
LINKUSDT 0.001 0.01 200000 20 1.1 0.9 0.00375 1579248000000
LSKUSDT 0.0001 1 6000000 5 1.15 0.85 0.02 1706192100000
POLUSDT 0.00001 1 30000000 5 1.15 0.85 0.02 1726229700000
SKLUSDT 0.000001 1 120000000 5 1.15 0.85 0.02 1598252400000
SOLUSDT 0.01 0.01 1000000 5 1.05 0.95 0.00375 1600066800000
SOL22USDT 0.001 1 1000000 5 1.05 0.95 0.02 1600066800000
SUIUSDT 0.0001 0.1 10000000 5 1.15 0.85 0.0075 1683072000000
SUPERUSDT 0.0001 1 6000000 5 1.15 0.85 0.02 1701003600000
TAOUSDT 0.01 0.001 20000 5 1.15 0.85 0.02 1712845800000
TONUSDT 0.0001 0.1 2000000 5 1.15 0.85 0.02 1709296200000
TURBOUSDT 0.0000001 1 600000000 5 1.15 0.85 0.02 1717083000000
XRPUSDT 0.0001 0.1 10000000 5 1.05 0.95 0.00375 1578298800000
1000PEPEUSDT 0.0000001 1 800000000 5 1.15 0.85 0.02 1683244800000
1000SHIBUSDT 0.000001 1 800000000 5 1.1 0.9 0.004875 1620630000000
"""
_SPOTS = {
    "BTCUSDT": (Decimal("0.01"), Decimal("0.00001"), Decimal(9000)),
    "ETHUSDT": (Decimal("0.01"), Decimal("0.0001"), Decimal(9000)),
}
SPOT_NOTIONAL_MIN = Decimal(5)
SPOT_BAND_UP, SPOT_BAND_DOWN = Decimal(5), Decimal("0.2")
QUANTITY_MAX_USD = 9e8
FUNDING_CAP_DEFAULT = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class PerpFacts:
    """A perpetual's filters; `listed_ms` is None where the listing time is not known."""

    tick: Decimal
    lot: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    band_up: Decimal
    band_down: Decimal
    funding_cap: Decimal
    listed_ms: int | None


def _facts() -> dict[str, PerpFacts]:
    found: dict[str, PerpFacts] = {}
    for line in _PERPS.split("\n"):
        if line:
            symbol, *numbers, listed_text = line.split()
            tick, lot, most, least, up, down, cap = map(Decimal, numbers)
            found[symbol] = PerpFacts(tick, lot, most, least, up, down, cap, int(listed_text))
    return found


PERP_FACTS = _facts()


def power_of_ten(value: float) -> Decimal:
    """The power of ten nearest to a positive value on a logarithmic scale."""
    return Decimal(f"{Decimal(1).scaleb(round(math.log10(value))):f}")


def perp_facts(symbol: str, price: float) -> PerpFacts:
    """The venue's filters of the perpetual, or those by rule for a typical price (USDT per venue unit)."""
    known = PERP_FACTS.get(symbol)
    if known is not None:
        return known
    return PerpFacts(
        tick=power_of_ten(price * 1e-4),
        lot=min(power_of_ten(1.0 / price), Decimal(1)),
        quantity_max=max(power_of_ten(QUANTITY_MAX_USD / price), Decimal(1)),
        notional_min=Decimal(5),
        band_up=Decimal("1.15"),
        band_down=Decimal("0.85"),
        funding_cap=FUNDING_CAP_DEFAULT,
        listed_ms=None,
    )


def perp_listing(
    symbol: str, coin: str, multiplier: Decimal, price: float, volume_usd: float, redated_days: int, from_ms: int
) -> Listing:
    """Listing of a perpetual whose typical price is `price`; one of unknown age is as old as the table."""
    facts = perp_facts(symbol, price)
    listed_ms = from_ms if facts.listed_ms is None else facts.listed_ms + redated_days * DAY_MS
    return Listing(
        book=Book.PERP,
        symbol=symbol,
        base_asset=symbol.removesuffix(QUOTE),
        quote_asset=QUOTE,
        coin=coin,
        multiplier=multiplier,
        tick=facts.tick,
        lot=facts.lot,
        quantity_min=facts.lot,
        quantity_max=facts.quantity_max,
        notional_min=facts.notional_min,
        band_up=facts.band_up,
        band_down=facts.band_down,
        listed_ms=listed_ms,
        funding_cap=facts.funding_cap,
        funding_floor=-facts.funding_cap,
        tiers=tiers_for(coin, volume_usd),
    )


def spot_listing(symbol: str, coin: str, price: float, listed_ms: int) -> Listing:
    """Listing of a spot pair whose typical price is `price` USDT per coin."""
    by_rule = (
        power_of_ten(price * 1e-4),
        min(power_of_ten(0.1 / price), Decimal(1)),
        max(power_of_ten(QUANTITY_MAX_USD / price), Decimal(1)),
    )
    tick, lot, quantity_max = _SPOTS.get(symbol, by_rule)
    return Listing(
        book=Book.SPOT,
        symbol=symbol,
        base_asset=coin,
        quote_asset=QUOTE,
        coin=coin,
        multiplier=Decimal(1),
        tick=tick,
        lot=lot,
        quantity_min=lot,
        quantity_max=quantity_max,
        notional_min=SPOT_NOTIONAL_MIN,
        band_up=SPOT_BAND_UP,
        band_down=SPOT_BAND_DOWN,
        listed_ms=listed_ms,
    )
