"""Public spot endpoints, /api/v3: general information and market data."""

from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Listing
from bot.simulator.wire.api import Call, Endpoint, Table, known
from bot.simulator.wire.candles import day_ticker, depth_side, klines, one_or_all
from bot.simulator.wire.params import Params
from bot.simulator.wire.shapes import fixed, price_text, quantity_text
from bot.simulator.wire.venue import Simulation

DEPTH_LEVELS_MAX = 5_000
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000},
]


def ping(_sim: Simulation, _call: Call) -> Any:
    return {}


def server_time(sim: Simulation, _call: Call) -> Any:
    """Wall time at any market speed: clients sign with its offset."""
    return {"serverTime": sim.wall_ms()}


def exchange_info(sim: Simulation, call: Call) -> Any:
    listings, _ = one_or_all(sim, Book.SPOT, call.params)
    return {
        "timezone": "UTC",
        "serverTime": sim.wall_ms(),
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [_symbol_info(sim, listing, call.params) for listing in listings],
    }


def _symbol_info(sim: Simulation, listing: Listing, params: Params) -> dict[str, Any]:
    """`permissionSets`: of each set an account needs one; without `showPermissionSets` they are empty."""
    permitted = [["TRD_GRP_002"]] if listing.symbol in sim.unpermitted else [["SPOT", "MARGIN"]]
    return {
        "symbol": listing.symbol,
        "status": "TRADING" if listing.open_at(sim.now_ms) else "BREAK",
        "baseAsset": listing.base_asset,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote_asset,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": _filters(listing),
        "permissions": [],
        "permissionSets": [] if params.text("showPermissionSets") == "false" else permitted,
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _filters(listing: Listing) -> list[dict[str, Any]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": fixed(listing.tick),
            "maxPrice": fixed(listing.tick * 100_000_000),
            "tickSize": fixed(listing.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": fixed(listing.quantity_min),
            "maxQty": fixed(listing.quantity_max),
            "stepSize": fixed(listing.lot),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": fixed(Decimal(0)),
            "maxQty": fixed(listing.quantity_max),
            "stepSize": fixed(Decimal(0)),
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2_000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2_000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": format(listing.band_up.normalize(), "f"),
            "bidMultiplierDown": format(listing.band_down.normalize(), "f"),
            "askMultiplierUp": format(listing.band_up.normalize(), "f"),
            "askMultiplierDown": format(listing.band_down.normalize(), "f"),
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": fixed(listing.notional_min),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def book_ticker(sim: Simulation, call: Call) -> Any:
    listings, single = one_or_all(sim, Book.SPOT, call.params)
    rows = [_book_row(sim, listing) for listing in listings]
    return rows[0] if single else rows


def _book_row(sim: Simulation, listing: Listing) -> dict[str, str]:
    top = sim.top(Book.SPOT, listing.symbol)
    return {
        "symbol": listing.symbol,
        "bidPrice": price_text(listing, top.bid),
        "bidQty": quantity_text(listing, top.bid_size),
        "askPrice": price_text(listing, top.ask),
        "askQty": quantity_text(listing, top.ask_size),
    }


def day_tickers(sim: Simulation, call: Call) -> Any:
    listings, single = one_or_all(sim, Book.SPOT, call.params)
    rows = [spot_day_row(sim, listing) for listing in listings]
    return rows[0] if single else rows


def spot_day_row(sim: Simulation, listing: Listing) -> dict[str, Any]:
    book = _book_row(sim, listing)
    row = day_ticker(sim, listing)
    row["prevClosePrice"] = row["openPrice"]
    return {**row, **book}


def price_ticker(sim: Simulation, call: Call) -> Any:
    listings, single = one_or_all(sim, Book.SPOT, call.params)
    rows = [{"symbol": x.symbol, "price": price_text(x, sim.day_stats(Book.SPOT, x.symbol).last)} for x in listings]
    return rows[0] if single else rows


def average_price(sim: Simulation, call: Call) -> Any:
    listing = sim.listing(Book.SPOT, call.params.symbol_text() or call.params.need("symbol"))
    top = sim.top(Book.SPOT, listing.symbol)
    return {"mins": 5, "price": fixed((top.bid + top.ask) / 2), "closeTime": sim.now_ms}


def depth(sim: Simulation, call: Call) -> Any:
    listing = sim.listing(Book.SPOT, call.params.symbol_text() or call.params.need("symbol"))
    levels = call.params.limit(100, DEPTH_LEVELS_MAX)
    bids, asks = sim.market.depth(Book.SPOT, listing.symbol, sim.now_ms, levels)
    return {
        "lastUpdateId": sim.update_id,
        "bids": depth_side(listing, bids),
        "asks": depth_side(listing, asks),
    }


def candles(sim: Simulation, call: Call) -> Any:
    listing = sim.listing(Book.SPOT, call.params.symbol_text() or call.params.need("symbol"))
    return klines(sim, listing, call.params, 500, 1_000)


def _depth_weight(params: Params) -> int:
    levels = params.limit(100, DEPTH_LEVELS_MAX)
    return 5 if levels <= 100 else 25 if levels <= 500 else 50 if levels <= 1_000 else 250


def _by_symbols(single: int, everything: int) -> Any:
    return lambda params: single if params.text("symbol") else everything


_SYMBOLS = known("symbol", "symbols", "symbolStatus")

TABLE: Table = {
    ("GET", "/api/v3/ping"): Endpoint(ping, known=known()),
    ("GET", "/api/v3/time"): Endpoint(server_time, known=known()),
    ("GET", "/api/v3/exchangeInfo"): Endpoint(
        exchange_info, weight=20, known=_SYMBOLS | known("permissions", "showPermissionSets")
    ),
    ("GET", "/api/v3/ticker/bookTicker"): Endpoint(book_ticker, weight=_by_symbols(2, 4), known=_SYMBOLS),
    ("GET", "/api/v3/ticker/24hr"): Endpoint(day_tickers, weight=_by_symbols(2, 80), known=_SYMBOLS | known("type")),
    ("GET", "/api/v3/ticker/price"): Endpoint(price_ticker, weight=_by_symbols(2, 4), known=_SYMBOLS),
    ("GET", "/api/v3/avgPrice"): Endpoint(average_price, weight=2, known=known("symbol")),
    ("GET", "/api/v3/depth"): Endpoint(depth, weight=_depth_weight, known=known("symbol", "limit", "symbolStatus")),
    ("GET", "/api/v3/klines"): Endpoint(
        candles, weight=2, known=known("symbol", "interval", "startTime", "endTime", "timeZone", "limit")
    ),
}
