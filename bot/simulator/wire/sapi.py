"""Wallet endpoints, /sapi: coins, fees, transfers between the wallets, and the rights of the key."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.simulator.exchange.interface import CapitalMove, Transfer
from bot.simulator.model import Book, Listing, VenueError
from bot.simulator.wire.api import Call, Endpoint, Security, Table
from bot.simulator.wire.auth import CREDENTIALS
from bot.simulator.wire.shapes import fixed, plain
from bot.simulator.wire.spot_account import spot_assets
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

_ZERO = Decimal(0)
_NOT_TAKEN = frozenset(
    {
        *("MAIN_FUNDING", "FUNDING_MAIN", "UMFUTURE_FUNDING", "FUNDING_UMFUTURE", "MARGIN_FUNDING", "FUNDING_MARGIN"),
        *("UMFUTURE_MARGIN", "MARGIN_UMFUTURE"),
    }
)
"""Routes of the funding wallet, which has no account here, and those that pass by the spot wallet: nobody takes them,
and their history is empty."""
_HISTORY_MS = 90 * 86_400_000
_COLLATERAL = {"MAIN_MARGIN": 1, "MARGIN_MAIN": -1}
"""Into the margin wallet, and out of it."""
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
    asset, quantity = call.params.need("asset"), call.params.need_decimal("amount")
    kind = call.params.need("type")
    if kind in _COLLATERAL:
        if asset != QUOTE_ASSET:
            raise VenueError(-1108, "Invalid asset.")
        return {"tranId": sim.move_collateral(call.api_key, _COLLATERAL[kind] * quantity)}
    source, target = _route(call)
    return {"tranId": sim.transfer(call.api_key, asset, quantity, source, target)}


def transfer_history(sim: Simulation, call: Call) -> Any:
    """Newest first, `size` rows (10, at most 100) of page `current`."""
    if call.params.need("type") in _NOT_TAKEN:
        return {"total": 0}
    start_ms, end_ms = call.params.window()
    rows = [
        t
        for t in _moves(sim, call)
        if (start_ms is None or t.at_ms >= start_ms) and (end_ms is None or t.at_ms <= end_ms)
    ]
    size, current = min(call.params.integer("size") or 10, 100), call.params.integer("current") or 1
    page = list(reversed(rows))[size * (current - 1) : size * current]
    answer: dict[str, Any] = {"total": len(rows)}
    if page:
        answer["rows"] = [_transfer_row(row, call.params.need("type")) for row in page]
    return answer


def _moves(sim: Simulation, call: Call) -> Sequence[Transfer]:
    """The account's transfers of the asked type; those of collateral as if between the spot and the margin wallet."""
    way = _COLLATERAL.get(call.params.need("type"))
    if way is not None:
        moved = (entry for entry in sim.exchange.loans(call.api_key) if entry.kind == "TRANSFER")
        return [
            Transfer(entry.id, entry.asset, abs(entry.amount), Book.SPOT, Book.SPOT, entry.at_ms)
            for entry in moved
            if entry.amount * way > 0
        ]
    route = _route(call)
    return [t for t in sim.exchange.transfers(call.api_key) if (t.source, t.target) == route]


def _transfer_row(row: Transfer, kind: str) -> dict[str, Any]:
    return {
        "asset": row.asset,
        "amount": plain(row.quantity),
        "type": kind,
        "status": "CONFIRMED",
        "tranId": row.id,
        "timestamp": row.at_ms,
    }


_WAY_TO_SPOT = 0
"""walletType of the spot wallet."""
_CREDITED, _COMPLETED = 1, 6


def deposits(sim: Simulation, call: Call) -> Any:
    """capital/deposit/hisrec: newest first; `offset` and `limit` (1,000 at most)."""
    return _page(call, [_deposit_row(m) for m in _capital(sim, call) if m.quantity > 0])


def withdrawals(sim: Simulation, call: Call) -> Any:
    """capital/withdraw/history: newest first; `amount` is what left, `transactionFee` was taken as well."""
    return _page(call, [_withdrawal_row(m) for m in _capital(sim, call) if m.quantity < 0])


def _capital(sim: Simulation, call: Call) -> list[CapitalMove]:
    """Within the asked window, which is at most 90 days, as is the default up to now."""
    start_ms, end_ms = call.params.window()
    end_ms = sim.now_ms if end_ms is None else end_ms
    start_ms = end_ms - _HISTORY_MS if start_ms is None else start_ms
    if end_ms - start_ms > _HISTORY_MS:
        raise VenueError(-4047, "Time interval must be within 0-90 days")
    return [m for m in reversed(sim.exchange.capital(call.api_key)) if start_ms <= m.at_ms <= end_ms]


def _page(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    offset = call.params.integer("offset") or 0
    return rows[offset : offset + call.params.limit(1_000, 1_000)]


def _deposit_row(move: CapitalMove) -> dict[str, Any]:
    return {
        "id": str(move.id),
        "amount": plain(move.quantity),
        "coin": move.asset,
        "network": "SIM",
        "status": _CREDITED,
        "address": "simulated",
        "addressTag": "",
        "txId": f"deposit-{move.id}",
        "insertTime": move.at_ms,
        "completeTime": move.at_ms,
        "transferType": 0,
        "confirmTimes": "12/12",
        "unlockConfirm": 12,
        "walletType": _WAY_TO_SPOT,
    }


def _withdrawal_row(move: CapitalMove) -> dict[str, Any]:
    told = datetime.fromtimestamp(move.at_ms // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "id": str(move.id),
        "amount": plain(-move.quantity),
        "transactionFee": plain(move.fee),
        "coin": move.asset,
        "status": _COMPLETED,
        "address": "simulated",
        "txId": f"withdrawal-{move.id}",
        "applyTime": told,
        "completeTime": told,
        "network": "SIM",
        "transferType": 0,
        "withdrawOrderId": "",
        "info": "",
        "confirmNo": 12,
        "walletType": _WAY_TO_SPOT,
        "txKey": "",
    }


def spot_ends(sim: Simulation, _call: Call) -> Any:
    """spot/delist-schedule: symbols of which the end is announced, by its time."""
    ends: dict[int, list[str]] = {}
    for listing in sim.listings(Book.SPOT):
        if listing.ends_ms:
            ends.setdefault(listing.ends_ms, []).append(listing.symbol)
    return [{"delistTime": at_ms, "symbols": sorted(symbols)} for at_ms, symbols in sorted(ends.items())]


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
        "enableMargin": CREDENTIALS[call.api_key].can_borrow,
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
        "isMarginEnabled": True,
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
    ("GET", "/sapi/v1/capital/deposit/hisrec"): Endpoint(deposits, _SIGNED),
    ("GET", "/sapi/v1/capital/withdraw/history"): Endpoint(withdrawals, _SIGNED),
    ("GET", "/sapi/v1/spot/delist-schedule"): Endpoint(spot_ends, _SIGNED, 100),
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
