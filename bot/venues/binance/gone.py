"""What the venue lists no more, though something of it may be held: rows in the shape of its exchange information.

The end of a market takes its symbol out of the exchange information some time later. What a daemon holds there, or
has still to read of it (a settlement, a fill), has to be counted in the right units all the same, also after a
restart. A symbol says what these are; its filters do not matter any more, as nothing can be traded.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bot.domain.instruments import Kind

STATUS = "GONE"
NOTIONAL_MIN = "5"
"""USDT: what is left of a coin below this is dust, as where it could be traded."""
STEP = "0.00000001"


def gone_rows(
    venue: str, kind: Kind, kept: Collection[str], listed: Iterable[Mapping[str, Any]], quote_asset: str
) -> list[dict[str, Any]]:
    """Rows of kept instruments of this kind whose symbol the venue does not list, by symbol."""
    known = {str(row.get("symbol")) for row in listed}
    named = [name.split(":") for name in kept]
    symbols = {symbol for of, symbol, what in named if (of, what) == (venue, kind.value)}
    return [_row(symbol, quote_asset) for symbol in sorted(symbols - known) if symbol.endswith(quote_asset)]


def _row(symbol: str, quote_asset: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "status": STATUS,
        "baseAsset": symbol.removesuffix(quote_asset),
        "quoteAsset": quote_asset,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": STEP},
            {"filterType": "LOT_SIZE", "stepSize": STEP, "minQty": STEP, "maxQty": "100000000"},
            {"filterType": "MIN_NOTIONAL", "minNotional": NOTIONAL_MIN, "notional": NOTIONAL_MIN},
        ],
    }
