"""Limits and bans as the venue tells of them: what is counted where, and until when nothing is asked."""

import json
from typing import Any

import ccxt.async_support as ccxt
import pytest

from bot.ports import VenueError, VenueRefusedError
from bot.venues.binance import gate
from bot.venues.binance import rest as rest_module
from bot.venues.binance.gate import BAN_S_MAX, RETRY_AFTER_UNKNOWN_S, WEIGHT_SHARE_ALL, Api
from bot.venues.binance.rest import BinanceRest, api_of

NOW_S = 1_790_000_000


@pytest.mark.parametrize(
    ("told", "headers", "wait_s"),
    [
        ("banned until 1790000600000. Please use the websocket", {}, 600.0),
        ("banned until 1790000600000. Please use the websocket", {"Retry-After": "660"}, 660.0),
        ("banned until 1990000000000", {}, BAN_S_MAX),
        ("banned", {}, RETRY_AFTER_UNKNOWN_S),
    ],
)
async def test_a_ban_ends_when_its_text_says_where_no_header_does(
    monkeypatch: pytest.MonkeyPatch, told: str, headers: dict[str, str], wait_s: float
) -> None:
    """The USD-M API promises no header: asked again each minute, it bans for longer, up to three days."""
    answer = {"code": -1003, "msg": f"Way too many requests; IP(1.2.3.4) {told}."}

    async def answered(exchange: Any, url: str, *more: Any) -> Any:
        exchange.handle_errors(418, "", url, "GET", headers, json.dumps(answer), answer, None, None)

    monkeypatch.setattr(ccxt.binance, "fetch", answered)
    monkeypatch.setattr(gate, "monotonic", lambda: 1_000.0)
    rest = BinanceRest("", "", None)
    budget = rest.budgets[Api.PERP]
    budget.tell_clock(NOW_S - 1_000.0, 0.01)
    await rest.open()
    try:
        with pytest.raises(VenueRefusedError) as refused:
            await rest.data("fapiPublicGetPremiumIndex")
    finally:
        await rest.close()
    assert budget.pause_s(WEIGHT_SHARE_ALL) == wait_s
    assert refused.value.wait_s == wait_s, "a start waits for it too"


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://api.binance.com/api/v3/account?timestamp=1&signature=x%2BfapiQ%3D%3D", Api.SPOT),
        ("https://api.binance.com/api/v3/account?timestamp=1&signature=x%2BsapiQ%3D%3D", Api.SPOT),
        ("https://api.binance.com/sapi/v1/margin/account?timestamp=1&signature=fapi", Api.SAPI),
        ("https://fapi.binance.com/fapi/v1/order?signature=sapi", Api.PERP),
    ],
)
def test_what_a_signature_spells_counts_for_no_other_api(url: str, api: str) -> None:
    """Those of RSA and Ed25519 keys are text in base 64. The weight and the bans of the spot API are not those of the
    USD-M API, which has less than half of its weight: it would take orders no more for the rest of the minute."""
    assert api_of(url) == api


async def test_questions_about_funding_rates_keep_to_their_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates that are late, as when the venue struggles, are asked for each 1.5 s, a day of all symbols in four pages:
    in three minutes that is more than the venue allows, and its answer keeps orders of perpetuals out as well."""
    left: list[str] = []

    async def answered(exchange: Any, url: str, *more: Any) -> Any:
        left.append(url)
        return []

    monkeypatch.setattr(ccxt.binance, "fetch", answered)
    monkeypatch.setattr(rest_module, "FUNDING_REQUESTS", 5)
    monkeypatch.setattr(rest_module, "FUNDING_REQUESTS_PUBLIC", 3)
    monkeypatch.setattr(rest_module, "FUNDING_PATIENCE_S", 0.01)
    rest = BinanceRest("", "", None)
    await rest.open()
    try:
        for _ in range(3):
            await rest.data("fapiPublicGetFundingRate", {"startTime": 1, "limit": 1000})
        with pytest.raises(VenueError, match="limit of questions"):
            await rest.data("fapiPublicGetFundingRate", {"startTime": 1, "limit": 1000})
        await rest.data("fapiPublicGetFundingRate", {"startTime": 1, "symbol": "BTCUSDT"})
        await rest.data("fapiPublicGetFundingInfo")
        with pytest.raises(VenueError, match="limit of questions"):
            await rest.data("fapiPublicGetFundingRate", {"startTime": 1, "symbol": "BTCUSDT"})
        assert len(left) == 5
        assert rest.budgets[Api.PERP].pause_s(WEIGHT_SHARE_ALL) == 0, "orders go on"
    finally:
        await rest.close()


@pytest.mark.parametrize(("answer", "wait_s"), [(None, RETRY_AFTER_UNKNOWN_S), ({"code": -2015, "msg": "no"}, 0.0)])
async def test_a_firewall_that_refuses_is_left_in_peace(
    monkeypatch: pytest.MonkeyPatch, answer: Any, wait_s: float
) -> None:
    """It stands before the API and says nothing of a wait; whoever asks on is kept out for longer."""

    async def answered(exchange: Any, url: str, *more: Any) -> Any:
        exchange.handle_errors(403, "", url, "GET", {}, "<html>Forbidden</html>", answer, None, None)

    monkeypatch.setattr(ccxt.binance, "fetch", answered)
    monkeypatch.setattr(gate, "monotonic", lambda: 1_000.0)
    rest = BinanceRest("", "", None)
    await rest.open()
    try:
        with pytest.raises(VenueError) as refused:
            await rest.data("fapiPublicGetPremiumIndex")
    finally:
        await rest.close()
    assert rest.budgets[Api.PERP].pause_s(WEIGHT_SHARE_ALL) == wait_s
    assert rest.budgets[Api.SPOT].pause_s(WEIGHT_SHARE_ALL) == 0
    assert refused.value.wait_s == wait_s
