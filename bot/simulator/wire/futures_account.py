"""Signed USD-M endpoints about balances, positions, income and settings, /fapi."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.exchange.interface import PositionRisk
from bot.simulator.model import Book, Income, Listing, VenueError
from bot.simulator.wire.api import Call, Endpoint, Security, Table
from bot.simulator.wire.futures_rest import RATE_LIMITS, needed_listing
from bot.simulator.wire.history import pick_recent
from bot.simulator.wire.shapes import fixed, places_of, plain, quantity_text
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

_ZERO = Decimal(0)
_DONE = {"code": 200, "msg": "success"}


def _risks(sim: Simulation, api_key: str) -> dict[str, PositionRisk]:
    return {risk.symbol: risk for risk in sim.exchange.position_risk(api_key, sim.now_ms)}


def _flat(sim: Simulation, api_key: str, listing: Listing) -> PositionRisk:
    return PositionRisk(
        symbol=listing.symbol,
        quantity=_ZERO,
        entry_price=_ZERO,
        mark_price=sim.mark(listing.symbol).mark,
        notional_usd=_ZERO,
        unrealized_usd=_ZERO,
        initial_usd=_ZERO,
        maintenance_usd=_ZERO,
        liquidation_price=None,
        leverage=sim.exchange.leverage(api_key, listing.symbol),
        updated_ms=0,
    )


def _chosen(sim: Simulation, call: Call, *, everything: bool) -> list[tuple[Listing, PositionRisk]]:
    """All symbols (v2) or only those with a position or an open order (v3); one when `symbol` is sent."""
    symbol = call.params.symbol_text()
    listings = sim.listings(Book.PERP) if symbol is None else [sim.listing(Book.PERP, symbol)]
    risks = _risks(sim, call.api_key)
    shown = set(risks) | {o.request.symbol for o in sim.exchange.open_orders(call.api_key, Book.PERP, None)}
    return [
        (x, risks.get(x.symbol) or _flat(sim, call.api_key, x)) for x in listings if everything or x.symbol in shown
    ]


def entry_text(listing: Listing, price: Decimal) -> str:
    """Entry prices are averages: three decimals more than the tick."""
    return fixed(price, places_of(listing.tick) + 3) if price else "0.0"


def _liquidation(risk: PositionRisk) -> str:
    return "0" if risk.liquidation_price is None else fixed(risk.liquidation_price)


def _risk_common(listing: Listing, risk: PositionRisk) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "positionAmt": quantity_text(listing, risk.quantity),
        "entryPrice": entry_text(listing, risk.entry_price),
        "breakEvenPrice": entry_text(listing, risk.entry_price),
        "markPrice": fixed(risk.mark_price),
        "unRealizedProfit": fixed(risk.unrealized_usd),
        "liquidationPrice": _liquidation(risk),
        "isolatedMargin": fixed(_ZERO),
        "positionSide": "BOTH",
        "notional": fixed(risk.notional_usd) if risk.quantity else "0",
        "isolatedWallet": "0",
        "updateTime": risk.updated_ms,
    }


def position_risk_v2(sim: Simulation, call: Call) -> Any:
    return [
        {
            **_risk_common(listing, risk),
            "leverage": str(risk.leverage),
            "maxNotionalValue": max_notional(listing, risk.leverage),
            "marginType": "cross",
            "isAutoAddMargin": "false",
        }
        for listing, risk in _chosen(sim, call, everything=True)
    ]


def position_risk_v3(sim: Simulation, call: Call) -> Any:
    return [
        {
            **_risk_common(listing, risk),
            "marginAsset": QUOTE_ASSET,
            "initialMargin": fixed(risk.initial_usd),
            "maintMargin": fixed(risk.maintenance_usd),
            "positionInitialMargin": fixed(risk.initial_usd),
            "openOrderInitialMargin": "0",
            "adl": 2 if risk.quantity else 0,
            "bidNotional": "0",
            "askNotional": "0",
        }
        for listing, risk in _chosen(sim, call, everything=False)
    ]


def max_notional(listing: Listing, leverage: int) -> str:
    """The largest notional that the brackets allow at this leverage."""
    caps = [tier.cap_usd for tier in listing.tiers if tier.leverage_max >= leverage]
    return plain(max(caps, default=_ZERO))


def _asset_row(sim: Simulation, call: Call) -> dict[str, Any]:
    margin = sim.exchange.margin_usd(call.api_key, sim.now_ms)
    return {
        "asset": QUOTE_ASSET,
        "walletBalance": fixed(margin["wallet_balance"]),
        "unrealizedProfit": fixed(margin["unrealized"]),
        "marginBalance": fixed(margin["margin_balance"]),
        "maintMargin": fixed(margin["maintenance"]),
        "initialMargin": fixed(margin["initial"]),
        "positionInitialMargin": fixed(margin["position_initial"]),
        "openOrderInitialMargin": fixed(margin["order_initial"]),
        "crossWalletBalance": fixed(margin["wallet_balance"]),
        "crossUnPnl": fixed(margin["unrealized"]),
        "availableBalance": fixed(margin["available"]),
        "maxWithdrawAmount": fixed(margin["withdrawable"]),
        "updateTime": sim.now_ms,
    }


def _totals(asset: dict[str, Any]) -> dict[str, str]:
    return {
        "totalInitialMargin": asset["initialMargin"],
        "totalMaintMargin": asset["maintMargin"],
        "totalWalletBalance": asset["walletBalance"],
        "totalUnrealizedProfit": asset["unrealizedProfit"],
        "totalMarginBalance": asset["marginBalance"],
        "totalPositionInitialMargin": asset["positionInitialMargin"],
        "totalOpenOrderInitialMargin": asset["openOrderInitialMargin"],
        "totalCrossWalletBalance": asset["crossWalletBalance"],
        "totalCrossUnPnl": asset["crossUnPnl"],
        "availableBalance": asset["availableBalance"],
        "maxWithdrawAmount": asset["maxWithdrawAmount"],
    }


def account_v2(sim: Simulation, call: Call) -> Any:
    asset = _asset_row(sim, call)
    return {
        **account_config(sim, call),
        **_totals(asset),
        "assets": [{**asset, "marginAvailable": True}],
        "positions": [
            {
                "symbol": listing.symbol,
                "initialMargin": fixed(risk.initial_usd),
                "maintMargin": fixed(risk.maintenance_usd),
                "unrealizedProfit": fixed(risk.unrealized_usd),
                "positionInitialMargin": fixed(risk.initial_usd),
                "openOrderInitialMargin": "0",
                "leverage": str(risk.leverage),
                "isolated": False,
                "entryPrice": entry_text(listing, risk.entry_price),
                "breakEvenPrice": entry_text(listing, risk.entry_price),
                "maxNotional": max_notional(listing, risk.leverage),
                "bidNotional": "0",
                "askNotional": "0",
                "positionSide": "BOTH",
                "positionAmt": quantity_text(listing, risk.quantity),
                "notional": fixed(risk.notional_usd) if risk.quantity else "0",
                "isolatedWallet": "0",
                "updateTime": risk.updated_ms,
            }
            for listing, risk in _chosen(sim, call, everything=True)
        ],
    }


def account_v3(sim: Simulation, call: Call) -> Any:
    asset = _asset_row(sim, call)
    return {
        **_totals(asset),
        "assets": [asset],
        "positions": [
            {
                "symbol": listing.symbol,
                "positionSide": "BOTH",
                "positionAmt": quantity_text(listing, risk.quantity),
                "unrealizedProfit": fixed(risk.unrealized_usd),
                "isolatedMargin": fixed(_ZERO),
                "notional": fixed(risk.notional_usd) if risk.quantity else "0",
                "isolatedWallet": "0",
                "initialMargin": fixed(risk.initial_usd),
                "maintMargin": fixed(risk.maintenance_usd),
                "updateTime": risk.updated_ms,
            }
            for listing, risk in _chosen(sim, call, everything=False)
        ],
    }


def balance(sim: Simulation, call: Call) -> Any:
    asset = _asset_row(sim, call)
    return [
        {
            "accountAlias": "SgsR",
            "asset": QUOTE_ASSET,
            "balance": asset["walletBalance"],
            "crossWalletBalance": asset["crossWalletBalance"],
            "crossUnPnl": asset["crossUnPnl"],
            "availableBalance": asset["availableBalance"],
            "maxWithdrawAmount": asset["maxWithdrawAmount"],
            "marginAvailable": True,
            "updateTime": sim.now_ms,
        }
    ]


def account_config(_sim: Simulation, _call: Call) -> dict[str, Any]:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def symbol_config(sim: Simulation, call: Call) -> Any:
    return [
        {
            "symbol": listing.symbol,
            "marginType": "CROSSED",
            "isAutoAddMargin": "false",
            "leverage": risk.leverage,
            "maxNotionalValue": max_notional(listing, risk.leverage),
        }
        for listing, risk in _chosen(sim, call, everything=True)
    ]


def income(sim: Simulation, call: Call) -> Any:
    """Oldest first; without bounds the newest of the last seven days; 100 rows, at most 1000 a page."""
    rows: Sequence[Income] = sim.exchange.income(call.api_key)
    symbol, kind = call.params.symbol_text(), call.params.text("incomeType")
    page, limit = call.params.integer("page") or 1, call.params.limit(100, 1_000)
    rows = [r for r in rows if symbol in {None, r.symbol} and kind in {None, r.kind}]
    chosen = pick_recent(rows, lambda r: r.at_ms, call.params.window(), limit * page, sim.now_ms)
    return [_income_row(row) for row in chosen[limit * (page - 1) :]]


def _income_row(row: Income) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "incomeType": row.kind,
        "income": fixed(row.amount),
        "asset": row.asset,
        "info": row.kind if row.trade_id is None else str(row.trade_id),
        "time": row.at_ms,
        "tranId": row.id,
        "tradeId": "" if row.trade_id is None else str(row.trade_id),
    }


def leverage_bracket(sim: Simulation, call: Call) -> Any:
    """The brackets are JSON numbers at this endpoint."""
    symbol = call.params.symbol_text()
    listings = sim.listings(Book.PERP) if symbol is None else [sim.listing(Book.PERP, symbol)]
    return [
        {
            "symbol": listing.symbol,
            "brackets": [
                {
                    "bracket": number,
                    "initialLeverage": tier.leverage_max,
                    "notionalCap": int(tier.cap_usd),
                    "notionalFloor": int(tier.floor_usd),
                    "maintMarginRatio": float(tier.maintenance_rate),
                    "cum": float(tier.cumulative_usd),
                }
                for number, tier in enumerate(listing.tiers, start=1)
            ],
        }
        for listing in listings
    ]


def commission_rate(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    maker, taker = sim.exchange.fee_rates(call.api_key, Book.PERP, listing.symbol)
    return {
        "symbol": listing.symbol,
        "makerCommissionRate": fixed(maker, 6),
        "takerCommissionRate": fixed(taker, 6),
    }


def set_leverage(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    leverage = call.params.integer("leverage")
    if leverage is None:
        call.params.need("leverage")
    sim.set_leverage(call.api_key, listing.symbol, leverage or 0)
    return {
        "symbol": listing.symbol,
        "leverage": leverage,
        "maxNotionalValue": max_notional(listing, leverage or 0),
    }


def set_margin_type(sim: Simulation, call: Call) -> Any:
    """Positions are crossed; isolated margin is not simulated, which -4084 says."""
    needed_listing(sim, call.params)
    if call.params.need("marginType") == "CROSSED":
        raise VenueError(-4046, "No need to change margin type.")
    raise VenueError(-4084, "Method is not allowed currently. Coming soon.")


def position_side(_sim: Simulation, _call: Call) -> Any:
    return {"dualSidePosition": False}


def set_position_side(_sim: Simulation, call: Call) -> Any:
    """One-way mode only; hedge mode is not simulated, which -4084 says."""
    call.params.need("dualSidePosition")
    if not call.params.boolean("dualSidePosition"):
        raise VenueError(-4059, "No need to change position side.")
    raise VenueError(-4084, "Method is not allowed currently. Coming soon.")


def multi_assets(_sim: Simulation, _call: Call) -> Any:
    return {"multiAssetsMargin": False}


def set_multi_assets(_sim: Simulation, call: Call) -> Any:
    call.params.need("multiAssetsMargin")
    if not call.params.boolean("multiAssetsMargin"):
        raise VenueError(-4171, "No need to change Joint Margin.")
    raise VenueError(-4084, "Method is not allowed currently. Coming soon.")


def fee_burn(_sim: Simulation, _call: Call) -> Any:
    return {"feeBurn": False}


def order_limits(_sim: Simulation, _call: Call) -> Any:
    return [row for row in RATE_LIMITS if row["rateLimitType"] == "ORDERS"]


def open_stream(sim: Simulation, call: Call) -> Any:
    sim.touch()
    return {"listenKey": sim.listen_keys.create(call.api_key, Book.PERP).text}


def keep_stream(sim: Simulation, call: Call) -> Any:
    sim.touch()
    key = sim.listen_keys.extend(call.api_key, Book.PERP, call.params.text("listenKey"))
    return {"listenKey": key.text}


def close_stream(sim: Simulation, call: Call) -> Any:
    sim.touch()
    sim.listen_keys.close(call.api_key, Book.PERP, call.params.text("listenKey"))
    return {}


_SIGNED = Security.SIGNED

TABLE: Table = {
    ("GET", "/fapi/v2/positionRisk"): Endpoint(position_risk_v2, _SIGNED, 5),
    ("GET", "/fapi/v3/positionRisk"): Endpoint(position_risk_v3, _SIGNED, 5),
    ("GET", "/fapi/v2/account"): Endpoint(account_v2, _SIGNED, 5),
    ("GET", "/fapi/v3/account"): Endpoint(account_v3, _SIGNED, 5),
    ("GET", "/fapi/v2/balance"): Endpoint(balance, _SIGNED, 5),
    ("GET", "/fapi/v3/balance"): Endpoint(balance, _SIGNED, 5),
    ("GET", "/fapi/v1/accountConfig"): Endpoint(account_config, _SIGNED, 5),
    ("GET", "/fapi/v1/symbolConfig"): Endpoint(symbol_config, _SIGNED, 5),
    ("GET", "/fapi/v1/income"): Endpoint(income, _SIGNED, 30),
    ("GET", "/fapi/v1/leverageBracket"): Endpoint(leverage_bracket, _SIGNED, 1),
    ("GET", "/fapi/v1/commissionRate"): Endpoint(commission_rate, _SIGNED, 20),
    ("POST", "/fapi/v1/leverage"): Endpoint(set_leverage, _SIGNED, 1),
    ("POST", "/fapi/v1/marginType"): Endpoint(set_margin_type, _SIGNED, 1),
    ("GET", "/fapi/v1/positionSide/dual"): Endpoint(position_side, _SIGNED, 30),
    ("POST", "/fapi/v1/positionSide/dual"): Endpoint(set_position_side, _SIGNED, 1),
    ("GET", "/fapi/v1/multiAssetsMargin"): Endpoint(multi_assets, _SIGNED, 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): Endpoint(set_multi_assets, _SIGNED, 1),
    ("GET", "/fapi/v1/feeBurn"): Endpoint(fee_burn, _SIGNED, 30),
    ("GET", "/fapi/v1/rateLimit/order"): Endpoint(order_limits, _SIGNED, 1),
    ("POST", "/fapi/v1/listenKey"): Endpoint(open_stream, Security.KEY),
    ("PUT", "/fapi/v1/listenKey"): Endpoint(keep_stream, Security.KEY),
    ("DELETE", "/fapi/v1/listenKey"): Endpoint(close_stream, Security.KEY),
}
