"""A made-up listing of any number of coins, in the shape of Binance's own documents and frames.

The shapes are those of real captures (exchangeInfo, bookTicker and markPrice of spot and USD-M); names, prices and
sizes are our own. The same documents feed the adapter over the wire and, through its pure parser, the engine.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.domain.events import VenueListed
from bot.domain.instruments import FeeRates, Kind

VENUE = "binance"
HOUR_MS = 3_600_000
NOW_MS = 1_768_478_400_000
"""Market time at which everything starts: 2026-01-15 12:00 UTC, hours away from a settlement and a new day."""
NEXT_FUNDING_MS = NOW_MS + 4 * HOUR_MS
FEE = "0.00100000"
PERP_FEE = "0.000500"
BASIS = 0.0004
"""The perpetual stands this far above its spot."""


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin with both legs; `price` is its spot mid in USDT, and `digits` are those of the tick."""

    name: str
    price: float
    digits: int
    lot_digits: int

    @property
    def symbol(self) -> str:
        return f"{self.name}USDT"


def coins(count: int) -> list[Coin]:
    """Deterministic; prices from a tenth of a dollar to a hundred thousand."""
    found = []
    for number in range(count):
        magnitude = number % 6 - 1
        price = (1 + (number * 37 % 80) / 10) * 10.0**magnitude
        found.append(Coin(_name(number), round(price, 6), digits=max(2, 5 - magnitude), lot_digits=max(0, magnitude)))
    return found


def _name(number: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "Q" + letters[number // 26 % 26] + letters[number % 26]


def _step(digits: int) -> str:
    return f"{10.0**-digits:.{digits}f}" if digits else "1"


def spot_info(listed: list[Coin]) -> dict[str, Any]:
    """GET /api/v3/exchangeInfo."""
    return {"timezone": "UTC", "serverTime": NOW_MS, "rateLimits": [], "symbols": [_spot_row(c) for c in listed]}


def _spot_row(coin: Coin) -> dict[str, Any]:
    lot = _step(coin.lot_digits + 1)
    return {
        "symbol": coin.symbol,
        "status": "TRADING",
        "baseAsset": coin.name,
        "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0", "maxPrice": "0", "tickSize": _step(coin.digits)},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
    }


def perp_info(listed: list[Coin]) -> dict[str, Any]:
    """GET /fapi/v1/exchangeInfo."""
    return {"timezone": "UTC", "serverTime": NOW_MS, "symbols": [_perp_row(coin) for coin in listed]}


def _perp_row(coin: Coin) -> dict[str, Any]:
    lot = _step(coin.lot_digits)
    return {
        "symbol": coin.symbol,
        "status": "TRADING",
        "contractType": "PERPETUAL",
        "baseAsset": coin.name,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "onboardDate": NOW_MS - 400 * 24 * HOUR_MS,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0", "maxPrice": "0", "tickSize": _step(coin.digits)},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
    }


def brackets(listed: list[Coin]) -> list[dict[str, Any]]:
    """GET /fapi/v1/leverageBracket."""
    rows = (
        (0, 500_000, 50, "0.01", "0"),
        (500_000, 5_000_000, 20, "0.025", "7500"),
        (5_000_000, 10**9, 5, "0.1", "382500"),
    )
    tiers = [
        {
            "bracket": number,
            "initialLeverage": leverage,
            "notionalCap": str(cap),
            "notionalFloor": str(floor),
            "maintMarginRatio": rate,
            "cum": cumulative,
        }
        for number, (floor, cap, leverage, rate, cumulative) in enumerate(rows, 1)
    ]
    return [{"symbol": coin.symbol, "brackets": tiers} for coin in listed]


def trade_fees(listed: list[Coin]) -> list[dict[str, str]]:
    """GET /sapi/v1/asset/tradeFee."""
    return [{"symbol": c.symbol, "makerCommission": FEE, "takerCommission": FEE} for c in listed]


def premium_index(listed: list[Coin]) -> list[dict[str, Any]]:
    """GET /fapi/v1/premiumIndex."""
    return [
        {
            "symbol": coin.symbol,
            "markPrice": f"{coin.price * (1 + BASIS):.8f}",
            "indexPrice": f"{coin.price:.8f}",
            "lastFundingRate": "0.00030000",
            "nextFundingTime": NEXT_FUNDING_MS,
            "time": NOW_MS,
        }
        for coin in listed
    ]


def ticker_price(listed: list[Coin]) -> list[dict[str, str]]:
    """GET /api/v3/ticker/price."""
    return [{"symbol": coin.symbol, "price": f"{coin.price:.8f}"} for coin in listed]


def venue_listed(listed: list[Coin]) -> VenueListed:
    """The listing as the adapter delivers it, made by the adapter's own pure parser."""
    # Importing the adapter imports ccxt, which the bare sides and the servers must not pay for.
    from bot.venues.binance.listing import ListingFacts, Universe, list_instruments, margin_tiers, spot_fees
    from bot.venues.binance.symbols import SymbolBook

    facts = ListingFacts(spot_info(listed), perp_info(listed), [], {}, {})
    instruments = list_instruments(VENUE, facts, Universe(), fee_in_base=True).instruments
    book = SymbolBook.of(instruments)
    fees = spot_fees(trade_fees(listed), Decimal(1), book.spot)
    perp_fee = FeeRates(Decimal("0.0002"), Decimal(PERP_FEE))
    fees |= {i.id: perp_fee for i in instruments if i.kind is Kind.PERP}
    tiers = margin_tiers(brackets(listed), book.perp)
    return VenueListed(VENUE, instruments, fees, tiers)


def quote_prices(coin: Coin, *, perp: bool, shift: float = 0.0) -> tuple[str, str]:
    """Bid and ask as text, one tick apart; `shift` moves both by a fraction."""
    unit = 10.0**-coin.digits
    middle = coin.price * (1 + (BASIS if perp else 0.0) + shift)
    ticks = max(1, round(middle / unit))
    return f"{ticks * unit:.{coin.digits}f}", f"{(ticks + 1) * unit:.{coin.digits}f}"


def spot_frame(coin: Coin, number: int, shift: float = 0.0) -> bytes:
    """A combined-stream frame of `<symbol>@bookTicker` on spot (it carries no time); `number` varies its sizes."""
    bid, ask = quote_prices(coin, perp=False, shift=shift)
    return (
        f'{{"stream":"{coin.symbol.lower()}@bookTicker","data":{{"u":{50_093_239_212 + number},"s":"{coin.symbol}",'
        f'"b":"{bid}","B":"{1000 + number % 997}.78826000","a":"{ask}","A":"{1000 + number % 991}.54698000"}}}}'
    ).encode()


def perp_frame(coin: Coin, number: int, at_ms: int, shift: float = 0.0) -> bytes:
    """A combined-stream frame of `<symbol>@bookTicker` on USD-M."""
    bid, ask = quote_prices(coin, perp=True, shift=shift)
    return (
        f'{{"stream":"{coin.symbol.lower()}@bookTicker","data":{{"e":"bookTicker","u":{5_123_107_839_020 + number},'
        f'"s":"{coin.symbol}","b":"{bid}","B":"{1000 + number % 997}.507",'
        f'"a":"{ask}","A":"{1000 + number % 991}.510","T":{at_ms},"E":{at_ms}}}}}'
    ).encode()


def mark_frame(coin: Coin, number: int, at_ms: int) -> bytes:
    """A combined-stream frame of `<symbol>@markPrice@1s`."""
    mark = coin.price * (1 + BASIS + (number % 7) * 1e-6)
    return (
        f'{{"stream":"{coin.symbol.lower()}@markPrice@1s","data":{{"e":"markPriceUpdate","E":{at_ms},'
        f'"s":"{coin.symbol}","p":"{mark:.8f}","P":"{mark:.8f}","i":"{coin.price:.8f}","r":"0.00030000",'
        f'"T":{NEXT_FUNDING_MS}}}}}'
    ).encode()
