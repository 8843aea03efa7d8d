"""Which answers prove that nothing was executed, as a table."""

import pytest

from bot.domain.config import Execution
from bot.venues.binance.gate import Api, Priority
from bot.venues.binance.outcomes import (
    DOCUMENTED_UNKNOWN,
    GENERAL,
    ORDER,
    TRANSFER,
    AnsweredError,
    NoAnswerError,
    NotSentError,
    RequestError,
    Verdict,
    judge_lookup,
    judge_order,
    judge_transfer,
)
from bot.venues.binance.rest import OPENING_WITHIN_S, ORDER_RECV_WINDOW_MS, BinanceRest

R, U, N = Verdict.REFUSED, Verdict.UNKNOWN, Verdict.NOT_FOUND


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AnsweredError(400, -1013, "Filter failure: NOTIONAL"), R),
        (AnsweredError(400, -2010, "Account has insufficient balance for requested action."), R),
        (AnsweredError(400, -2010, "Order would immediately match and take."), R),
        (AnsweredError(400, -2010, "Duplicate order sent."), U),
        (AnsweredError(400, -4116, "ClientOrderId is duplicated."), U),
        (AnsweredError(400, -2019, "Margin is insufficient."), R),
        (AnsweredError(400, -2022, "ReduceOnly Order is rejected."), R),
        (AnsweredError(400, -4164, "Order's notional must be no smaller than 5"), R),
        (AnsweredError(400, -1111, "Precision is over the maximum defined for this asset."), R),
        (AnsweredError(400, -4131, "The counterparty's best price does not meet the PERCENT_PRICE"), R),
        (AnsweredError(400, -4003, "Quantity less than zero."), R),
        (AnsweredError(400, -4005, "Quantity greater than max quantity."), R),
        (AnsweredError(400, -4014, "Price not increased by tick size."), R),
        (AnsweredError(400, -1121, "Invalid symbol."), R),
        (AnsweredError(401, -2014, "API-key format invalid."), R),
        (AnsweredError(401, -2015, "Invalid API-key, IP, or permissions for action."), R),
        (AnsweredError(400, -1021, "Timestamp for this request is outside of the recvWindow."), R),
        (AnsweredError(429, -1003, "Too much request weight used"), R),
        (AnsweredError(429, None, "no JSON"), R),
        (AnsweredError(418, -1003, "Way too much request weight used; IP banned"), R),
        (AnsweredError(429, -1015, "Too many new orders"), R),
        (AnsweredError(503, -1008, "Request throttled by system-level protection."), R),
        (AnsweredError(503, None, "Service Unavailable."), R),
        (AnsweredError(503, None, "Unknown error, please check your request or try again later."), U),
        (AnsweredError(503, -1001, "Internal error; unable to process your request."), U),
        (AnsweredError(500, -1013, "a known code under a server error proves nothing"), U),
        (AnsweredError(502, None, "no JSON"), U),
        (AnsweredError(408, -1007, "Timeout waiting for response from backend server."), U),
        (AnsweredError(400, -1006, "An unexpected response was received from the message bus."), U),
        (AnsweredError(400, -1000, "An unknown error occurred while processing the request."), U),
        (AnsweredError(400, -99999, "a code that nobody has heard of"), U),
        (AnsweredError(400, None, "no JSON"), U),
        (AnsweredError(403, None, "no JSON"), U),
        (AnsweredError(400, -2013, "Order does not exist."), U),
        (NoAnswerError("RequestTimeout"), U),
        (NotSentError("rate limit"), R),
    ],
)
def test_outcome_of_an_order(error: RequestError, verdict: Verdict) -> None:
    assert judge_order(error).verdict is verdict


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AnsweredError(400, -2013, "Order does not exist."), N),
        (AnsweredError(400, -2011, "Unknown order sent."), N),
        (AnsweredError(503, -2013, "Order does not exist."), U),
        (AnsweredError(400, -1121, "Invalid symbol."), R),
        (NoAnswerError("ExchangeNotAvailable"), U),
    ],
)
def test_outcome_of_a_lookup(error: RequestError, verdict: Verdict) -> None:
    assert judge_lookup(error).verdict is verdict


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AnsweredError(400, -5013, "Asset transfer failed: insufficient balance"), R),
        (AnsweredError(400, -2010, "an order's code means nothing here"), U),
        (AnsweredError(500, -5013, "server error"), U),
        (NoAnswerError("RequestTimeout"), U),
    ],
)
def test_outcome_of_a_transfer(error: RequestError, verdict: Verdict) -> None:
    assert judge_transfer(error).verdict is verdict


def test_what_the_venue_calls_unknown_is_on_no_list() -> None:
    for codes in (GENERAL, ORDER, TRANSFER):
        assert not DOCUMENTED_UNKNOWN & codes.keys()
        assert -4116 not in codes


def test_the_words_carry_code_and_text_only() -> None:
    judged = judge_order(AnsweredError(400, -2019, "Margin is insufficient."))
    assert judged.reason == "-2019: Margin is insufficient."


def test_an_order_delayed_on_its_way_cannot_arrive_after_not_found_is_believed() -> None:
    assert Execution().settle_window_s * 1000 > ORDER_RECV_WINDOW_MS
    rest = BinanceRest("key", "secret", None)
    assert rest._instance(limited=False).options["recvWindow"] == ORDER_RECV_WINDOW_MS


async def test_what_opens_does_not_wait_long_to_be_let_out() -> None:
    rest = BinanceRest("key", "secret", None)
    rest.budgets[Api.SPOT].observe({"retry-after": "60"}, 429)
    with pytest.raises(NotSentError, match="not admitted within"):
        await rest.order("privatePostOrder", {}, priority=Priority.OPENING, counted=True)
    assert rest.timeout_s > OPENING_WITHIN_S
