"""Cross-margin endpoints, /sapi/v1/margin: orders that borrow and repay, the account, rates, interest and loans.

Orders trade on the spot book. A sale is `sideEffectType=MARGIN_BUY` and borrows what is lacking, a purchase is
`AUTO_REPAY`; nothing else is taken here, as quote currency is never lent. They never rest (IOC, FOK or MARKET).
Isolated margin is not offered. Rates are a fraction an hour. The private stream does not speak of this account: its
orders answer in full, and its histories are asked for. Source of the shapes: https://developers.binance.com/docs/margin_trading
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Listing, LoanEntry, VenueError
from bot.simulator.wire.api import Call, Endpoint, Handler, Security, Table
from bot.simulator.wire.auth import CREDENTIALS
from bot.simulator.wire.history import pick
from bot.simulator.wire.orders import order_reference, read_spot_order
from bot.simulator.wire.shapes import fixed, plain, ratio
from bot.simulator.wire.spot_account import full_answer, order_row, trade_row
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

_ZERO = Decimal(0)
_DAILY_H = 24
_SIDE_EFFECTS = {"SELL": "MARGIN_BUY", "BUY": "AUTO_REPAY"}


def new_order(sim: Simulation, call: Call) -> Any:
    _refuse_isolated(call)
    request = replace(read_spot_order(sim, call.params), margin=True)
    if call.params.text("sideEffectType") != _SIDE_EFFECTS[request.side.value]:
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    order, trades = sim.place(call.api_key, request)
    listing = sim.listing(Book.SPOT, request.symbol)
    return {**full_answer(listing, order, trades), "isIsolated": False}


def query_order(sim: Simulation, call: Call) -> Any:
    listing = _listing(sim, call)
    order_id, client_id = order_reference(call.params)
    order = sim.exchange.order(call.api_key, Book.SPOT, listing.symbol, order_id, client_id)
    if not order.request.margin:
        raise VenueError(-2013, "Order does not exist.")
    return {**order_row(listing, order), "isIsolated": False, "accountId": 1}


def cancel_order(sim: Simulation, call: Call) -> Any:
    """Nothing rests, so there is nothing to cancel."""
    _listing(sim, call)
    order_reference(call.params)
    raise VenueError(-2011, "Unknown order sent.")


def open_orders(_sim: Simulation, call: Call) -> Any:
    _refuse_isolated(call)
    return []


def all_orders(sim: Simulation, call: Call) -> Any:
    listing = _listing(sim, call)
    rows = [o for o in sim.exchange.all_orders(call.api_key, Book.SPOT, listing.symbol) if o.request.margin]
    first_id, limit = call.params.integer("orderId"), call.params.limit(500, 500)
    if first_id is not None:
        chosen: Sequence[Any] = [o for o in rows if o.id >= first_id][:limit]
    else:
        chosen = pick(rows, lambda o: o.created_ms, *call.params.window(), limit)
    return [{**order_row(listing, order), "isIsolated": False, "accountId": 1} for order in chosen]


def my_trades(sim: Simulation, call: Call) -> Any:
    listing = _listing(sim, call)
    rows = [t for t in sim.exchange.trades(call.api_key, Book.SPOT, listing.symbol) if t.margin]
    order_id, from_id = call.params.integer("orderId"), call.params.integer("fromId")
    limit = call.params.limit(500, 1_000)
    if order_id is not None:
        rows = [t for t in rows if t.order_id == order_id]
    if from_id is not None:
        chosen: Sequence[Any] = [t for t in rows if t.id >= from_id][:limit]
    else:
        chosen = pick(rows, lambda t: t.at_ms, *call.params.window(), limit)
    return [{**trade_row(listing, trade), "isIsolated": False} for trade in chosen]


def account(sim: Simulation, call: Call) -> Any:
    """Both levels count collateral at its ratio: the venue liquidates by it here."""
    wallet = sim.exchange.margin_wallet(call.api_key)
    assets = [_asset_row(asset, free, owed) for asset, (free, owed) in wallet.items()]
    held = sum((_counted(sim, asset, free) for asset, (free, _) in wallet.items()), _ZERO)
    owed = sum((owed * _in_quote(sim, asset) for asset, (_, owed) in wallet.items()), _ZERO)
    level = ratio(held, owed) if owed else Decimal(999)
    return {
        "created": True,
        "borrowEnabled": True,
        "tradeEnabled": True,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "marginLevel": fixed(level),
        "collateralMarginLevel": fixed(level),
        "TotalCollateralValueInUSDT": fixed(held),
        "userAssets": assets,
        "accountType": "MARGIN_1",
    }


def _asset_row(asset: str, free: Decimal, owed: Decimal) -> dict[str, str]:
    return {
        "asset": asset,
        "borrowed": fixed(owed),
        "free": fixed(free),
        "interest": fixed(_ZERO),
        "locked": fixed(_ZERO),
        "netAsset": fixed(free - owed),
    }


def _counted(sim: Simulation, asset: str, quantity: Decimal) -> Decimal:
    """As collateral, in quote currency."""
    return quantity * _in_quote(sim, asset) * sim.exchange.collateral_ratio(asset, sim.now_ms)


def collateral_ratios(sim: Simulation, _call: Call) -> Any:
    """crossMarginCollateralRatio: assets of one ratio together, each in one tier without an end."""
    assets: dict[Decimal, list[str]] = {}
    for asset in (QUOTE_ASSET, *_lent(sim, None)):
        assets.setdefault(sim.exchange.collateral_ratio(asset, sim.now_ms), []).append(asset)
    return [
        {"collaterals": [{"minUsdValue": "0", "discountRate": plain(share)}], "assetNames": names}
        for share, names in assets.items()
    ]


def _in_quote(sim: Simulation, asset: str) -> Decimal:
    if asset == QUOTE_ASSET:
        return Decimal(1)
    top = sim.market.top(Book.SPOT, asset + QUOTE_ASSET, sim.now_ms)
    return (top.bid + top.ask) / 2


def hourly_rates(sim: Simulation, call: Call) -> Any:
    """next-hourly-interest-rate: `assets` separated by commas, at most 20."""
    _refuse_isolated(call)
    assets = call.params.need("assets").split(",")
    if len(assets) > 20:
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    rates = ((asset, sim.exchange.lending_terms(_known(sim, asset), sim.now_ms)[0]) for asset in assets)
    return [{"asset": asset, "nextHourlyInterestRate": fixed(rate)} for asset, rate in rates]


def daily_rates(sim: Simulation, call: Call) -> Any:
    """interestRateHistory: what holds now; this venue keeps no history of its rates."""
    asset = call.params.need("asset")
    rate, _ = sim.exchange.lending_terms(_known(sim, asset), sim.now_ms)
    row = {"asset": asset, "dailyInterestRate": fixed(rate * _DAILY_H), "timestamp": sim.now_ms, "vipLevel": 0}
    return [row]


def max_borrowable(sim: Simulation, call: Call) -> Any:
    """What the pool and the collateral (level 1.5) leave; the limit is the pool's."""
    asset = _known(sim, call.params.need("asset"))
    _, pool = sim.exchange.lending_terms(asset, sim.now_ms)
    wallet = sim.exchange.margin_wallet(call.api_key)
    level, counts = Decimal("1.5"), sim.exchange.collateral_ratio(QUOTE_ASSET, sim.now_ms)
    held = sum((_counted(sim, one, free) for one, (free, _) in wallet.items()), _ZERO)
    owed = sum((owed * _in_quote(sim, one) for one, (_, owed) in wallet.items()), _ZERO)
    borne = ratio(max(_ZERO, held - level * owed), (level - counts) * _in_quote(sim, asset))
    return {"amount": fixed(min(pool, borne)), "borrowLimit": fixed(pool)}


def account_limits(sim: Simulation, call: Call) -> Any:
    """crossMarginData: of each coin what this account may owe, what is lent already included."""
    wanted, wallet = call.params.text("coin"), sim.exchange.margin_wallet(call.api_key)
    return [_limit_row(sim, asset, wallet.get(asset, (_ZERO, _ZERO))[1]) for asset in _lent(sim, wanted)]


def _limit_row(sim: Simulation, asset: str, owed: Decimal) -> dict[str, Any]:
    rate, pool = sim.exchange.lending_terms(asset, sim.now_ms)
    return {
        "vipLevel": 0,
        "coin": asset,
        "transferIn": True,
        "borrowable": True,
        "dailyInterest": fixed(rate * _DAILY_H),
        "yearlyInterest": fixed(rate * _DAILY_H * 365),
        "borrowLimit": fixed(pool + owed),
        "marginablePairs": [asset + QUOTE_ASSET],
    }


def inventory(sim: Simulation, call: Call) -> Any:
    """available-inventory: what the pool can still lend of everything."""
    if call.params.need("type") != "MARGIN":
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    left = {asset: fixed(sim.exchange.lending_terms(asset, sim.now_ms)[1]) for asset in _lent(sim, None)}
    return {"assets": left, "updateTime": sim.now_ms}


def delist_schedule(sim: Simulation, call: Call) -> Any:
    """Assets that are recalled, by the time at which they must be back."""
    due: dict[int, list[str]] = {}
    for entry in sim.exchange.loans(call.api_key):
        if entry.kind == "RECALL" and entry.at_ms > sim.now_ms:
            due.setdefault(entry.at_ms, []).append(entry.asset)
    return [
        {"delistTime": at_ms, "crossMarginAssets": sorted(assets), "isolatedMarginSymbols": []}
        for at_ms, assets in sorted(due.items())
    ]


def interest_history(sim: Simulation, call: Call) -> Any:
    """Newest first, `size` rows (10, at most 100) of page `current`."""
    rows = _entries(sim, call, {"INTEREST"})
    return {"rows": [_interest_row(row) for row in _page(call, rows)], "total": len(rows)}


def _interest_row(entry: LoanEntry) -> dict[str, Any]:
    return {
        "txId": entry.id,
        "interestAccuredTime": entry.at_ms,
        "asset": entry.asset,
        "rawAsset": entry.asset,
        "principal": fixed(ratio(entry.amount, entry.rate or _ZERO)),
        "interest": fixed(entry.amount),
        "interestRate": fixed((entry.rate or _ZERO) * _DAILY_H),
        "type": "PERIODIC",
    }


def loan_history(sim: Simulation, call: Call) -> Any:
    """borrow-repay: BORROW or REPAY, newest first."""
    kind = call.params.need("type")
    if kind not in {"BORROW", "REPAY"}:
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    rows = _entries(sim, call, {kind})
    return {"rows": [_loan_row(row) for row in _page(call, rows)], "total": len(rows)}


def _loan_row(entry: LoanEntry) -> dict[str, Any]:
    return {
        "type": "AUTO",
        "amount": fixed(entry.amount),
        "asset": entry.asset,
        "interest": fixed(_ZERO),
        "principal": fixed(entry.amount),
        "status": "CONFIRMED",
        "timestamp": entry.at_ms,
        "txId": entry.id,
    }


def pairs(sim: Simulation, _call: Call) -> Any:
    """crossMarginPairs: every spot pair against the quote currency can be borrowed and sold."""
    return [
        {
            "base": listing.base_asset,
            "id": number,
            "isBuyAllowed": True,
            "isMarginTrade": True,
            "isSellAllowed": True,
            "quote": listing.quote_asset,
            "symbol": listing.symbol,
        }
        for number, listing in enumerate(sim.listings(Book.SPOT), 1)
        if not listing.ended_at(sim.now_ms)
    ]


def _entries(sim: Simulation, call: Call, kinds: set[str]) -> list[LoanEntry]:
    asset = call.params.text("asset")
    start_ms, end_ms = call.params.window()
    return [
        entry
        for entry in reversed(sim.exchange.loans(call.api_key))
        if entry.kind in kinds
        and asset in {None, entry.asset}
        and (start_ms is None or entry.at_ms >= start_ms)
        and (end_ms is None or entry.at_ms <= end_ms)
    ]


def _page(call: Call, rows: list[LoanEntry]) -> list[LoanEntry]:
    size, current = min(call.params.integer("size") or 10, 100), call.params.integer("current") or 1
    return rows[size * (current - 1) : size * current]


def _listing(sim: Simulation, call: Call) -> Listing:
    _refuse_isolated(call)
    return sim.listing(Book.SPOT, call.params.symbol_text() or call.params.need("symbol"))


def _lent(sim: Simulation, asset: str | None) -> list[str]:
    """What can be borrowed: that one, or every coin."""
    return (
        sorted({listing.base_asset for listing in sim.listings(Book.SPOT)}) if asset is None else [_known(sim, asset)]
    )


def _known(sim: Simulation, asset: str) -> str:
    """Raises VenueError -11001 for what is not lent."""
    if asset not in _lent(sim, None):
        raise VenueError(-11001, "This asset is not supported.")
    return asset


def _refuse_isolated(call: Call) -> None:
    if (call.params.text("isIsolated") or "FALSE").upper() == "TRUE":
        raise VenueError(-11001, "Isolated margin account does not exist.")


def _of_borrower(handler: Handler) -> Handler:
    """An endpoint of the margin account, which not every key has."""

    def guarded(sim: Simulation, call: Call) -> Any:
        if not CREDENTIALS[call.api_key].can_borrow:
            raise VenueError(-3003, "Margin account does not exist.")
        return handler(sim, call)

    return guarded


_SIGNED = Security.SIGNED

_ACCOUNT: Table = {
    ("POST", "/sapi/v1/margin/order"): Endpoint(new_order, _SIGNED, 6, places_order=True),
    ("GET", "/sapi/v1/margin/order"): Endpoint(query_order, _SIGNED, 10),
    ("DELETE", "/sapi/v1/margin/order"): Endpoint(cancel_order, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/openOrders"): Endpoint(open_orders, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/allOrders"): Endpoint(all_orders, _SIGNED, 200),
    ("GET", "/sapi/v1/margin/myTrades"): Endpoint(my_trades, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/account"): Endpoint(account, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/next-hourly-interest-rate"): Endpoint(hourly_rates, _SIGNED, 100),
    ("GET", "/sapi/v1/margin/interestRateHistory"): Endpoint(daily_rates, _SIGNED),
    ("GET", "/sapi/v1/margin/maxBorrowable"): Endpoint(max_borrowable, _SIGNED, 50),
    ("GET", "/sapi/v1/margin/crossMarginData"): Endpoint(account_limits, _SIGNED, 5),
    ("GET", "/sapi/v1/margin/available-inventory"): Endpoint(inventory, _SIGNED, 50),
    ("GET", "/sapi/v1/margin/interestHistory"): Endpoint(interest_history, _SIGNED),
    ("GET", "/sapi/v1/margin/borrow-repay"): Endpoint(loan_history, _SIGNED, 10),
}

TABLE: Table = {
    ("GET", "/sapi/v1/margin/allPairs"): Endpoint(pairs, Security.KEY),
    ("GET", "/sapi/v1/margin/delist-schedule"): Endpoint(delist_schedule, Security.KEY, 100),
    ("GET", "/sapi/v1/margin/crossMarginCollateralRatio"): Endpoint(collateral_ratios, Security.KEY, 100),
    **{place: replace(endpoint, handler=_of_borrower(endpoint.handler)) for place, endpoint in _ACCOUNT.items()},
}
