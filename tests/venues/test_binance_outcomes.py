"""Which answers prove that nothing was executed, as a table."""

import pytest

from bot.domain.config import Execution
from bot.ports import VenueError
from bot.settings import schema
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
from bot.venues.binance.rest import OPENING_WITHIN_S, ORDER_RECV_WINDOW_MS, BinanceRest, as_venue_error

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
        (AnsweredError(503, -1008, "Request throttled by system-level protection.", perp=True), R),
        (AnsweredError(503, None, "Service Unavailable.", perp=True), R),
        (AnsweredError(503, -1008, "Server is currently overloaded with other requests."), U),
        (AnsweredError(503, None, "Service Unavailable."), U),
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
    least_s = schema()["$defs"]["Execution"]["properties"]["settle_window_s"]["minimum"]
    assert least_s * 1000 > ORDER_RECV_WINDOW_MS, "nor with any setting of its owner's"
    rest = BinanceRest("key", "secret", None)
    assert rest._instance(limited=False).options["recvWindow"] == ORDER_RECV_WINDOW_MS


@pytest.mark.parametrize("priority", [Priority.OPENING, Priority.COMPLETING])
async def test_what_opens_does_not_wait_long_to_be_let_out(priority: Priority) -> None:
    rest = BinanceRest("key", "secret", None)
    rest.budgets[Api.SPOT].observe({"retry-after": "60"}, 429)
    with pytest.raises(NotSentError, match="not admitted within"):
        await rest.order("privatePostOrder", {}, priority=priority, counted=True)
    assert rest.timeout_s > OPENING_WITHIN_S


REFUSED_ALWAYS = (
    *(1002, 1003, 1008, 1014, 1015, 1020, 1021, 1022, 1100, 1101, 1102, 1103, 1104, 1105, 1106, 1108, 1109, 1111),
    *(1114, 1115, 1116, 1117, 1118, 1121, 1128, 1130, 1131, 2014, 2015),
)
REFUSED_ORDERS = (
    *(
        1013,
        2010,
        2018,
        2019,
        2020,
        2021,
        2022,
        2023,
        2024,
        2025,
        2026,
        2027,
        2028,
        4001,
        4002,
        4003,
        4004,
        4005,
        4013,
    ),
    *(4014, 4015, 4016, 4023, 4024, 4061, 4118, 4131, 4140, 4141, 4164, 4192, 4400, 5021, 5022),
    *(3003, 3004, 3006, 3008, 3012, 3021, 3022, 3027, 3028, 3041, 3045, 11001),
)
REFUSED_TRANSFERS = (3020, 3041, 4051, 5001, 5002, 5003, 5011, 5012, 5013, 9000, 12014)


def test_the_allow_lists_are_these_and_no_code_is_added_unseen() -> None:
    """Written out a second time on purpose: a code on a list by mistake lets an order be sent twice."""
    always = {-code for code in REFUSED_ALWAYS}
    assert GENERAL.keys() == always
    assert ORDER.keys() == always | {-code for code in REFUSED_ORDERS}
    assert TRANSFER.keys() == always | {-code for code in REFUSED_TRANSFERS}
    assert {-1000, -1001, -1006, -1007} == DOCUMENTED_UNKNOWN
    assert all(reason for codes in (GENERAL, ORDER, TRANSFER) for reason in codes.values())


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AnsweredError(499, -2013, "Order does not exist."), N),
        (AnsweredError(500, -2013, "Order does not exist."), U),
        (AnsweredError(404, -9999, "no such order, by a code that is none"), U),
        (AnsweredError(400, None, "no JSON"), U),
        (NotSentError("rate limit"), R),
    ],
)
def test_a_lookup_is_believed_below_500_and_by_its_own_codes(error: RequestError, verdict: Verdict) -> None:
    assert judge_lookup(error).verdict is verdict


@pytest.mark.parametrize(("status", "verdict"), [(417, U), (418, R), (419, U), (428, U), (429, R), (430, U)])
def test_only_418_and_429_say_by_themselves_that_nothing_was_done(status: int, verdict: Verdict) -> None:
    assert judge_order(AnsweredError(status, None, "no JSON")).verdict is verdict


@pytest.mark.parametrize(
    ("status", "code", "message", "verdict"),
    [
        (499, -1013, "x", R),
        (500, -1013, "x", U),
        (500, -1008, "throttled", R),
        (502, None, "Service Unavailable.", U),
        (503, None, " SERVICE unavailable. ", R),
        (503, -1000, "Service Unavailable. Try again", U),
    ],
)
def test_a_server_error_proves_something_in_two_cases_only(
    status: int, code: int | None, message: str, verdict: Verdict
) -> None:
    assert judge_order(AnsweredError(status, code, message, perp=True)).verdict is verdict
    assert status < 500 or judge_order(AnsweredError(status, code, message)).verdict is U, "of spot nothing is known"


@pytest.mark.parametrize(("host", "verdict"), [("fapi.binance.com/fapi/v1", R), ("api.binance.com/api/v3", U)])
def test_whose_server_error_it_is(host: str, verdict: Verdict) -> None:
    rest = BinanceRest("key", "secret", None)
    exchange, url, reply = rest._instance(limited=False), f"https://{host}/order", {"code": -1008, "msg": "busy"}
    with pytest.raises(AnsweredError) as raised:
        exchange.handle_errors(503, "", url, "POST", {}, "{}", reply, None, None)
    assert judge_order(raised.value).verdict is verdict


def test_reasons_name_the_code_or_the_status_and_the_venues_words() -> None:
    assert judge_order(AnsweredError(400, -2010, "balance")).reason == "-2010: balance"
    assert judge_order(AnsweredError(502, None, "no JSON")).reason == "HTTP 502: no JSON"
    assert judge_order(NotSentError("rate limit")).reason == "not sent: rate limit"
    assert judge_order(NoAnswerError("time-out")).reason == "time-out"
    assert judge_lookup(AnsweredError(400, -2013, "gone")).reason == "-2013: gone"
    error = AnsweredError(429, -1003, "slow down", 7.5)
    assert (error.status, error.code, error.message, error.retry_after_s) == (429, -1003, "slow down", 7.5)
    assert str(error) == "HTTP 429, code -1003: slow down"


@pytest.mark.parametrize(
    ("code", "message", "short"),
    [
        (-3041, "Balance is not enough", True),
        (-2018, "Balance is insufficient.", True),
        (-2019, "Margin is insufficient.", True),
        (-2010, "Account has insufficient balance for requested action.", True),
        (-2010, "Order would immediately match and take.", False),
        (-1013, "insufficient balance, says a code that is of something else", False),
    ],
)
def test_a_refusal_for_want_of_money_is_told_from_others(code: int, message: str, short: bool) -> None:
    assert judge_order(AnsweredError(400, code, message)).short is short


@pytest.mark.parametrize(
    ("code", "misfit"),
    [
        *((code, True) for code in (-1013, -1111, -2027, -4004, -4005, -4014, -4023, -4140, -4141, -4164)),
        *((code, False) for code in (-2010, -2022, -4003)),
    ],
)
def test_a_refusal_by_the_filters_is_told_from_others(code: int, misfit: bool) -> None:
    assert judge_order(AnsweredError(400, code, "refused")).misfit is misfit


@pytest.mark.parametrize("error", [NoAnswerError("RequestTimeout"), NotSentError("rate limit")])
def test_what_the_venue_did_not_refuse_is_for_neither_reason(error: RequestError) -> None:
    judged = judge_order(error)
    assert (judged.short, judged.misfit) == (False, False)


async def test_a_fetch_says_how_long_the_venue_wants_no_question() -> None:
    rest = BinanceRest("key", "secret", None)
    ban = AnsweredError(418, -1003, "Way too much request weight used; IP banned", 600.0)
    assert as_venue_error("time", ban).wait_s == 600
    assert as_venue_error("time", AnsweredError(400, -1121, "Invalid symbol.")).wait_s == 0
    rest.budgets[Api.SPOT].observe({"retry-after": "600"}, 418)
    with pytest.raises(VenueError) as refused:
        await rest.data("publicGetTime")
    assert 500 < refused.value.wait_s <= 600
