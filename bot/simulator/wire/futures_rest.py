"""Public USD-M endpoints, /fapi: general information, market data and funding."""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Listing, Settlement
from bot.simulator.wire.api import Call, Endpoint, Table
from bot.simulator.wire.candles import day_ticker, depth_side, klines, mark_klines, one_or_all
from bot.simulator.wire.history import pick
from bot.simulator.wire.params import Params
from bot.simulator.wire.shapes import fixed, places_of, plain, price_text, quantity_text
from bot.simulator.wire.spot_rest import ping, server_time
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

DEFAULT_INTERVAL_S = 8 * 3_600
# The default cap and floor are 0.75 of the first bracket's maintenance rate, as the venue documents.
CAP_OF_MAINTENANCE = Decimal("0.75")
PERPETUAL_DELIVERY_MS = 4_133_404_800_000
INTEREST_RATE_8H = Decimal("0.0001")
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2_400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1_200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]


def exchange_info(sim: Simulation, _call: Call) -> Any:
    return {
        "timezone": "UTC",
        "serverTime": sim.wall_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "assets": [{"asset": QUOTE_ASSET, "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [_symbol_info(listing, sim.now_ms) for listing in sim.listings(Book.PERP)],
    }


def _symbol_info(listing: Listing, at_ms: int) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": listing.ends_ms or PERPETUAL_DELIVERY_MS,
        "onboardDate": listing.listed_ms,
        "status": "TRADING" if listing.open_at(at_ms) else "SETTLING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base_asset,
        "quoteAsset": listing.quote_asset,
        "marginAsset": listing.quote_asset,
        "pricePrecision": places_of(listing.tick),
        "quantityPrecision": places_of(listing.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": plain(listing.band_up - 1),
        "maxMoveOrderLimit": 10_000,
        "filters": _filters(listing),
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "permissionSets": ["GRID"],
    }


def _filters(listing: Listing) -> list[dict[str, Any]]:
    quantity = {
        "minQty": plain(listing.quantity_min),
        "maxQty": plain(listing.quantity_max),
        "stepSize": plain(listing.lot),
    }
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": price_text(listing, listing.tick),
            "maxPrice": plain(listing.tick * 100_000_000),
            "tickSize": price_text(listing, listing.tick),
        },
        {"filterType": "LOT_SIZE", **quantity},
        {"filterType": "MARKET_LOT_SIZE", **quantity},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": plain(listing.notional_min)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": fixed(listing.band_up, 4),
            "multiplierDown": fixed(listing.band_down, 4),
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]


def book_ticker(sim: Simulation, call: Call) -> Any:
    listings, single = one_or_all(sim, Book.PERP, call.params)
    rows = [_book_row(sim, listing) for listing in listings]
    return rows[0] if single else rows


def _book_row(sim: Simulation, listing: Listing) -> dict[str, Any]:
    top = sim.top(Book.PERP, listing.symbol)
    return {
        "symbol": listing.symbol,
        "bidPrice": price_text(listing, top.bid),
        "bidQty": quantity_text(listing, top.bid_size),
        "askPrice": price_text(listing, top.ask),
        "askQty": quantity_text(listing, top.ask_size),
        "time": sim.now_ms,
        "lastUpdateId": sim.update_id,
    }


def day_tickers(sim: Simulation, call: Call) -> Any:
    listings, single = one_or_all(sim, Book.PERP, call.params)
    rows = [day_ticker(sim, listing) for listing in listings]
    return rows[0] if single else rows


def price_ticker(sim: Simulation, call: Call) -> Any:
    listings, single = one_or_all(sim, Book.PERP, call.params)
    rows = [
        {
            "symbol": x.symbol,
            "price": price_text(x, sim.day_stats(Book.PERP, x.symbol).last),
            "time": sim.now_ms,
        }
        for x in listings
    ]
    return rows[0] if single else rows


def depth(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    levels = call.params.limit(500, 1_000)
    bids, asks = sim.market.depth(Book.PERP, listing.symbol, sim.now_ms, levels)
    return {
        "lastUpdateId": sim.update_id,
        "E": sim.now_ms,
        "T": sim.now_ms,
        "bids": depth_side(listing, bids),
        "asks": depth_side(listing, asks),
    }


def candles(sim: Simulation, call: Call) -> Any:
    return klines(sim, needed_listing(sim, call.params), call.params, 500, 1_500)


def mark_candles(sim: Simulation, call: Call) -> Any:
    return mark_klines(sim, needed_listing(sim, call.params), call.params)


def premium_index(sim: Simulation, call: Call) -> Any:
    listings, single = one_or_all(sim, Book.PERP, call.params)
    rows = [_premium_row(sim, listing) for listing in listings]
    return rows[0] if single else rows


def _premium_row(sim: Simulation, listing: Listing) -> dict[str, Any]:
    mark = sim.mark(listing.symbol)
    return {
        "symbol": listing.symbol,
        "markPrice": fixed(mark.mark),
        "indexPrice": fixed(mark.index),
        "estimatedSettlePrice": fixed(mark.index),
        "lastFundingRate": fixed(mark.predicted_rate),
        "interestRate": fixed(INTEREST_RATE_8H),
        "nextFundingTime": mark.next_funding_ms,
        "time": sim.now_ms,
    }


def funding_rate(sim: Simulation, call: Call) -> Any:
    """Settled rates up to now, oldest first; without a start the newest `limit` (100, at most 1000)."""
    symbol = call.params.symbol_text()
    start_ms, end_ms = call.params.window()
    if symbol is not None:
        rows: Sequence[Settlement] = sim.settled_rates.get(sim.listing(Book.PERP, symbol).symbol, [])
    else:
        rows = sorted(
            (s for per_symbol in sim.settled_rates.values() for s in _since(per_symbol, start_ms)),
            key=lambda s: (s.at_ms, s.symbol),
        )
    chosen = pick(rows, lambda s: s.at_ms, start_ms, end_ms, call.params.limit(100, 1_000))
    return [
        {
            "symbol": s.symbol,
            "fundingTime": s.at_ms,
            "fundingRate": fixed(s.rate),
            "markPrice": fixed(s.mark),
        }
        for s in chosen
    ]


def _since(rows: Sequence[Settlement], start_ms: int | None) -> Sequence[Settlement]:
    return rows if start_ms is None else rows[bisect_left(rows, start_ms, key=lambda s: s.at_ms) :]


def funding_info(sim: Simulation, _call: Call) -> Any:
    """Only instruments whose interval, cap or floor is not the venue's default, or was not at some time."""
    rows = []
    for listing in sim.listings(Book.PERP):
        interval_s = sim.mark(listing.symbol).interval_s
        changed = _last_change(sim.settled_rates.get(listing.symbol, ()))
        if interval_s == DEFAULT_INTERVAL_S and changed is None and _default_cap(listing):
            continue
        rows.append(
            {
                "symbol": listing.symbol,
                "adjustedFundingRateCap": fixed(listing.funding_cap),
                "adjustedFundingRateFloor": fixed(listing.funding_floor),
                "fundingIntervalHours": interval_s // 3_600,
                "disclaimer": False,
                "updateTime": changed or listing.listed_ms,
            }
        )
    return rows


def _last_change(settled: Sequence[Settlement]) -> int | None:
    """When the interval last differed from the settlement before it; None: it was always the default."""
    changed = None
    previous_s = DEFAULT_INTERVAL_S
    for settlement in settled:
        if settlement.interval_s != previous_s:
            changed = settlement.at_ms
        previous_s = settlement.interval_s
    return changed


def _default_cap(listing: Listing) -> bool:
    if not listing.tiers:
        return True
    default = CAP_OF_MAINTENANCE * listing.tiers[0].maintenance_rate
    return listing.funding_cap == default and listing.funding_floor == -default


def open_interest(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    return {
        "symbol": listing.symbol,
        "openInterest": quantity_text(listing, sim.market.open_interest(listing.symbol, sim.now_ms)),
        "time": sim.now_ms,
    }


def needed_listing(sim: Simulation, params: Params) -> Listing:
    return sim.listing(Book.PERP, params.symbol_text() or params.need("symbol"))


def inverse_exchange_info(sim: Simulation, _call: Call) -> Any:
    """COIN-M lists nothing here; clients ask for it when they load all markets."""
    return {
        "timezone": "UTC",
        "serverTime": sim.wall_ms(),
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [],
    }


def _depth_weight(params: Params) -> int:
    levels = params.limit(500, 1_000)
    return 2 if levels <= 50 else 5 if levels <= 100 else 10 if levels <= 500 else 20


def _kline_weight(params: Params) -> int:
    rows = params.limit(500, 1_500)
    return 1 if rows < 100 else 2 if rows < 500 else 5 if rows <= 1_000 else 10


def _by_symbol(single: int, everything: int) -> Any:
    return lambda params: single if params.text("symbol") else everything


TABLE: Table = {
    ("GET", "/fapi/v1/ping"): Endpoint(ping),
    ("GET", "/fapi/v1/time"): Endpoint(server_time),
    ("GET", "/fapi/v1/exchangeInfo"): Endpoint(exchange_info),
    ("GET", "/fapi/v1/ticker/bookTicker"): Endpoint(book_ticker, weight=_by_symbol(2, 5)),
    ("GET", "/fapi/v1/ticker/24hr"): Endpoint(day_tickers, weight=_by_symbol(1, 40)),
    ("GET", "/fapi/v1/ticker/price"): Endpoint(price_ticker, weight=_by_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): Endpoint(price_ticker, weight=_by_symbol(1, 2)),
    ("GET", "/fapi/v1/depth"): Endpoint(depth, weight=_depth_weight),
    ("GET", "/fapi/v1/klines"): Endpoint(candles, weight=_kline_weight),
    ("GET", "/fapi/v1/markPriceKlines"): Endpoint(mark_candles, weight=_kline_weight),
    ("GET", "/fapi/v1/premiumIndex"): Endpoint(premium_index, weight=_by_symbol(1, 10)),
    ("GET", "/fapi/v1/fundingRate"): Endpoint(funding_rate),
    ("GET", "/fapi/v1/fundingInfo"): Endpoint(funding_info),
    ("GET", "/fapi/v1/openInterest"): Endpoint(open_interest),
    ("GET", "/dapi/v1/ping"): Endpoint(ping),
    ("GET", "/dapi/v1/time"): Endpoint(server_time),
    ("GET", "/dapi/v1/exchangeInfo"): Endpoint(inverse_exchange_info),
}
