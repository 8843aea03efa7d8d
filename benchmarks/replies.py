"""What the order server answers: Binance's documents for a listing, and fills of whatever was ordered."""

import json
from time import time_ns
from typing import Any

from benchmarks import catalogue
from benchmarks.catalogue import Coin
from benchmarks.peer import Call


class Fixed:
    """Replies that do not change, by path."""

    def __init__(self, listed: list[Coin]) -> None:
        documents: dict[str, Any] = {
            "/api/v3/exchangeInfo": catalogue.spot_info(listed),
            "/fapi/v1/exchangeInfo": catalogue.perp_info(listed),
            "/fapi/v1/fundingInfo": [],
            "/api/v3/ticker/price": catalogue.ticker_price(listed),
            "/fapi/v1/premiumIndex": catalogue.premium_index(listed),
            "/sapi/v1/asset/tradeFee": catalogue.trade_fees(listed),
            "/fapi/v1/leverageBracket": catalogue.brackets(listed),
            "/api/v3/account/commission": {"discount": {"enabledForAccount": False, "enabledForSymbol": False}},
            "/fapi/v1/commissionRate": {
                "makerCommissionRate": "0.000200",
                "takerCommissionRate": catalogue.PERP_FEE,
            },
            "/fapi/v1/feeBurn": {"feeBurn": False},
            "/fapi/v1/positionSide/dual": {"dualSidePosition": False},
            "/fapi/v1/multiAssetsMargin": {"multiAssetsMargin": False},
            "/fapi/v1/symbolConfig": [],
            "/fapi/v1/listenKey": {"listenKey": "benchmark"},
            "/sapi/v1/asset/transfer": {"tranId": 1},
            "/sapi/v1/account/apiRestrictions": {
                "ipRestrict": True,
                "enableReading": True,
                "enableWithdrawals": False,
                "enableFutures": True,
                "enableSpotAndMarginTrading": True,
            },
        }
        self._texts = {path: json.dumps(document).encode() for path, document in documents.items()}

    def reply(self, call: Call) -> bytes:
        if call.path == "/api/v3/time":
            return b'{"serverTime":%d}' % (time_ns() // 1_000_000)
        return self._texts.get(call.path, b"{}")


def spot_reply(asked: dict[str, str], number: int, at_ms: int) -> bytes:
    """The full answer to a spot order, filled at its limit; a buy's fee is taken in the coin."""
    return json.dumps(
        {
            "symbol": asked["symbol"],
            "orderId": number,
            "clientOrderId": asked["newClientOrderId"],
            "transactTime": at_ms,
            "price": asked["price"],
            "origQty": asked["quantity"],
            "executedQty": asked["quantity"],
            "status": "FILLED",
            "timeInForce": "IOC",
            "type": "LIMIT",
            "side": asked["side"],
            "fills": [
                {
                    "price": asked["price"],
                    "qty": asked["quantity"],
                    "commission": _spot_fee(asked),
                    "commissionAsset": asked["symbol"].removesuffix("USDT"),
                    "tradeId": number,
                }
            ],
        }
    ).encode()


def _spot_fee(asked: dict[str, str]) -> str:
    return f"{float(asked['quantity']) * 0.001:.8f}"


def perp_reply(asked: dict[str, str], number: int, at_ms: int) -> bytes:
    return json.dumps(
        {
            "symbol": asked["symbol"],
            "orderId": number,
            "clientOrderId": asked["newClientOrderId"],
            "status": "FILLED",
            "price": asked["price"],
            "avgPrice": asked["price"],
            "origQty": asked["quantity"],
            "executedQty": asked["quantity"],
            "side": asked["side"],
            "updateTime": at_ms,
        }
    ).encode()


def execution_report(asked: dict[str, str], number: int, at_ms: int) -> bytes:
    event = {
        "e": "executionReport",
        **_execution(asked, number, at_ms),
        "E": at_ms,
        "C": "",
        "r": "NONE",
        "n": _spot_fee(asked),
        "N": asked["symbol"].removesuffix("USDT"),
    }
    return json.dumps({"subscriptionId": 0, "event": event}).encode()


def order_trade_update(asked: dict[str, str], number: int, at_ms: int) -> bytes:
    fee = float(asked["quantity"]) * float(asked["price"]) * float(catalogue.PERP_FEE)
    order = {**_execution(asked, number, at_ms), "rp": "0", "n": f"{fee:.8f}", "N": "USDT"}
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "E": at_ms, "T": at_ms, "o": order}).encode()


def _execution(asked: dict[str, str], number: int, at_ms: int) -> dict[str, Any]:
    return {
        "s": asked["symbol"],
        "c": asked["newClientOrderId"],
        "S": asked["side"],
        "x": "TRADE",
        "X": "FILLED",
        "i": number,
        "l": asked["quantity"],
        "z": asked["quantity"],
        "L": asked["price"],
        "T": at_ms,
        "t": number,
        "m": False,
    }
