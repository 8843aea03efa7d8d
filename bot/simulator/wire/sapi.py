"""Wallet endpoints, /sapi: coins, fees, transfers between the two wallets, and the rights of the key."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.exchange.interface import Transfer
from bot.simulator.model import Book, Listing, VenueError
from bot.simulator.wire.api import Call, Endpoint, Security, Table
from bot.simulator.wire.auth import CREDENTIALS
from bot.simulator.wire.shapes import fixed, plain
from bot.simulator.wire.spot_account import spot_assets
from bot.simulator.wire.venue import Simulation

_ZERO = Decimal(0)
_ROUTES = {"MAIN_UMFUTURE": (Book.SPOT, Book.PERP), "UMFUTURE_MAIN": (Book.PERP, Book.SPOT)}


def system_status(_sim: Simulation, _call: Call) -> Any:
    return {"status": 0, "msg": "normal"}


def coins(sim: Simulation, call: Call) -> Any:
    """capital/config/getall; no network takes deposits or withdrawals here."""
    wallet = sim.exchange.wallet(call.api_key, Book.SPOT)
    return [_coin_row(asset, *wallet.get(asset, (_ZERO, _ZERO))) for asset in spot_assets(sim)]


def _coin_row(asset: str, free: Decimal, locked: Decimal) -> dict[str, Any]:
    zero = fixed(_ZERO)
    return {
        "coin": asset,
        "depositAllEnable": False,
        "free": fixed(free),
        "freeze": zero,
        "ipoable": zero,
        "ipoing": zero,
        "isLegalMoney": False,
        "locked": fixed(locked),
        "name": asset,
        "networkList": [_network_row(asset)],
        "storage": zero,
        "trading": True,
        "withdrawAllEnable": False,
        "withdrawing": zero,
    }


def _network_row(asset: str) -> dict[str, Any]:
    return {
        "addressRegex": "^(0x)[0-9A-Fa-f]{40}$",
        "coin": asset,
        "depositDesc": "The simulator takes no deposits",
        "depositEnable": False,
        "isDefault": True,
        "memoRegex": "",
        "minConfirm": 6,
        "name": "Simulated network",
        "network": "SIM",
        "specialTips": "",
        "unLockConfirm": 12,
        "withdrawDesc": "The simulator sends no withdrawals",
        "withdrawEnable": False,
        "withdrawFee": "0.00000000",
        "withdrawIntegerMultiple": "0.00000001",
        "withdrawMax": "0.00000000",
        "withdrawMin": "0.00000000",
        "sameAddress": False,
        "estimatedArrivalTime": 5,
        "busy": False,
    }


def nothing(_sim: Simulation, _call: Call) -> Any:
    """Lists that are empty here: margin pairs, funding wallet."""
    return []


def trade_fee(sim: Simulation, call: Call) -> Any:
    symbol = call.params.symbol_text()
    listings = sim.listings(Book.SPOT) if symbol is None else [sim.listing(Book.SPOT, symbol)]
    return [_fee_row(sim, call, listing) for listing in listings]


def _fee_row(sim: Simulation, call: Call, listing: Listing) -> dict[str, str]:
    maker, taker = sim.exchange.fee_rates(call.api_key, Book.SPOT, listing.symbol)
    return {
        "symbol": listing.symbol,
        "makerCommission": plain(maker),
        "takerCommission": plain(taker),
    }


def transfer(sim: Simulation, call: Call) -> Any:
    source, target = _route(call)
    asset, quantity = call.params.need("asset"), call.params.need_decimal("amount")
    return {"tranId": sim.transfer(call.api_key, asset, quantity, source, target)}


def transfer_history(sim: Simulation, call: Call) -> Any:
    """Newest first, `size` rows (10, at most 100) of page `current`."""
    source, target = _route(call)
    start_ms, end_ms = call.params.window()
    rows: Sequence[Transfer] = [
        t
        for t in sim.exchange.transfers(call.api_key)
        if (t.source, t.target) == (source, target)
        and (start_ms is None or t.at_ms >= start_ms)
        and (end_ms is None or t.at_ms <= end_ms)
    ]
    size, current = min(call.params.integer("size") or 10, 100), call.params.integer("current") or 1
    page = list(reversed(rows))[size * (current - 1) : size * current]
    answer: dict[str, Any] = {"total": len(rows)}
    if page:
        answer["rows"] = [_transfer_row(row, call.params.need("type")) for row in page]
    return answer


def _transfer_row(row: Transfer, kind: str) -> dict[str, Any]:
    return {
        "asset": row.asset,
        "amount": plain(row.quantity),
        "type": kind,
        "status": "CONFIRMED",
        "tranId": row.id,
        "timestamp": row.at_ms,
    }


def _route(call: Call) -> tuple[Book, Book]:
    route = _ROUTES.get(call.params.need("type"))
    if route is None:
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    return route


def api_restrictions(sim: Simulation, call: Call) -> Any:
    return {
        "ipRestrict": False,
        "createTime": sim.market.start_ms,
        "enableReading": True,
        "enableWithdrawals": CREDENTIALS[call.api_key].can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": True,
        "permitsUniversalTransfer": True,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": True,
        "enablePortfolioMarginTrading": False,
    }


def account_status(_sim: Simulation, _call: Call) -> Any:
    return {"data": "Normal"}


def account_info(_sim: Simulation, _call: Call) -> Any:
    return {
        "vipLevel": 0,
        "isMarginEnabled": False,
        "isFutureEnabled": True,
        "isOptionsEnabled": False,
        "isPortfolioMarginRetailEnabled": False,
    }


def api_trading_status(_sim: Simulation, _call: Call) -> Any:
    trigger = {"GCR": 150, "IFER": 150, "UFR": 300}
    return {"data": {"isLocked": False, "plannedRecoverTime": 0, "triggerCondition": trigger, "updateTime": 0}}


def bnb_burn(_sim: Simulation, _call: Call) -> Any:
    return {"spotBNBBurn": False, "interestBNBBurn": False}


def user_assets(sim: Simulation, call: Call) -> Any:
    wanted = call.params.text("asset")
    zero = "0"
    return [
        {
            "asset": asset,
            "free": fixed(free),
            "locked": fixed(locked),
            "freeze": zero,
            "withdrawing": zero,
            "ipoable": zero,
            "btcValuation": zero,
        }
        for asset, (free, locked) in sorted(sim.exchange.wallet(call.api_key, Book.SPOT).items())
        if (free or locked) and wanted in {None, asset}
    ]


_SIGNED = Security.SIGNED

TABLE: Table = {
    ("GET", "/sapi/v1/system/status"): Endpoint(system_status),
    ("GET", "/sapi/v1/capital/config/getall"): Endpoint(coins, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/allPairs"): Endpoint(nothing, Security.KEY),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Endpoint(nothing, Security.KEY, 10),
    ("GET", "/sapi/v1/asset/tradeFee"): Endpoint(trade_fee, _SIGNED),
    ("POST", "/sapi/v1/asset/transfer"): Endpoint(transfer, _SIGNED),
    ("GET", "/sapi/v1/asset/transfer"): Endpoint(transfer_history, _SIGNED),
    ("POST", "/sapi/v1/asset/get-funding-asset"): Endpoint(nothing, _SIGNED),
    ("POST", "/sapi/v3/asset/getUserAsset"): Endpoint(user_assets, _SIGNED, 5),
    ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(api_restrictions, _SIGNED),
    ("GET", "/sapi/v1/account/status"): Endpoint(account_status, _SIGNED),
    ("GET", "/sapi/v1/account/info"): Endpoint(account_info, _SIGNED),
    ("GET", "/sapi/v1/account/apiTradingStatus"): Endpoint(api_trading_status, _SIGNED),
    ("GET", "/sapi/v1/bnbBurn"): Endpoint(bnb_burn, _SIGNED),
}
