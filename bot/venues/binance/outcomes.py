"""What an answer of Binance proves about a request: refused for certain, or nothing at all.

Only codes on the allow-lists below mean that nothing was executed. Everything else (time-outs, resets, 5xx,
unreadable bodies, codes that we do not know) is unknown and must be asked about.

Sources: Binance "Error codes" of the spot and of the USD-M API, and "General info" on HTTP 4xx, 429, 418 and 503.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    REFUSED = "refused"
    """The venue did not execute the request and never will."""
    NOT_FOUND = "not_found"
    """The venue knows no such order (in this view)."""
    UNKNOWN = "unknown"


class AnsweredError(Exception):
    """The venue answered with an error: HTTP status, its own code (None when the body is unreadable), its text.

    `perp`: by the USD-M API, which calls some 5xx a failure; of the other APIs' 5xx nothing is ever known.
    """

    def __init__(
        self, status: int, code: int | None, message: str, retry_after_s: float | None = None, *, perp: bool = False
    ) -> None:
        super().__init__(f"HTTP {status}, code {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.perp = perp


class NoAnswerError(Exception):
    """No answer that can be read: time-out, reset, truncated body. The request may have been executed."""


class NotSentError(Exception):
    """We ourselves did not send the request: a rate limit or a ban would have been broken, for `wait_s` more."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: Verdict
    reason: str
    short: bool = False
    """Refused because the account has not the money for it."""
    misfit: bool = False
    """Refused by what the listing tells of the instrument: it may have changed."""


# Codes that say "not executed" for any request.
GENERAL: Mapping[int, str] = {
    -1002: "not authorised",
    -1003: "request weight exceeded: refused before execution (with HTTP 429 or 418)",
    -1008: "throttled by the venue's overload protection: documented as not executed",
    -1014: "unsupported order combination",
    -1015: "order rate limit exceeded",
    -1020: "operation not supported",
    -1021: "timestamp outside of the receive window: checked before execution",
    -1022: "signature not valid",
    -1100: "illegal characters in a parameter",
    -1101: "too many parameters",
    -1102: "mandatory parameter missing",
    -1103: "unknown parameter",
    -1104: "not all parameters were read",
    -1105: "parameter empty",
    -1106: "parameter not required",
    -1108: "invalid asset",
    -1109: "invalid account",
    -1111: "precision is over the maximum of this asset",
    -1114: "time in force not required",
    -1115: "invalid time in force",
    -1116: "invalid order type",
    -1117: "invalid side",
    -1118: "new client order id empty",
    -1121: "invalid symbol",
    -1128: "combination of optional parameters invalid",
    -1130: "invalid data in a parameter",
    -1131: "receive window too large",
    -2014: "API key format invalid",
    -2015: "key, IP address or permission refused",
}

# Codes of the matching engines' pre-trade checks.
ORDER: Mapping[int, str] = {
    **GENERAL,
    -1013: "a filter refused the order (price, lot, notional)",
    -2010: "the matching engine refused the order (balance, would match, market closed)",
    -2018: "balance not sufficient",
    -2019: "margin not sufficient",
    -2020: "unable to fill",
    -2021: "would trigger immediately",
    -2022: "reduce-only order refused: it would not reduce",
    -2023: "account is being liquidated",
    -2024: "position not sufficient",
    -2025: "open order limit reached",
    -2026: "reduce-only not supported for this order type",
    -2027: "position above the maximum at this leverage",
    -2028: "leverage too small: margin not sufficient",
    -4001: "price below 0",
    -4002: "price above the maximum",
    -4003: "quantity below 0",
    -4004: "quantity below the minimum",
    -4005: "quantity above the maximum",
    -4013: "price below the minimum",
    -4014: "price not on the tick",
    -4015: "client order id invalid",
    -4016: "price above the band",
    -4023: "quantity not on the lot",
    -4024: "price below the band",
    -4061: "position side does not match the account's mode",
    -4118: "reduce-only conflicts with open orders",
    -4131: "counterparty's best price is outside of the band",
    -4140: "symbol does not accept opening orders",
    -4141: "symbol is closed",
    -4164: "notional below the minimum",
    -4192: "trade forbidden during a cooling-off period",
    -4400: "quantitative rules: reduce-only",
    -5021: "fill-or-kill could not be filled",
    -5022: "post-only order would match",
    # Of the margin account, before a loan or an order is made.
    -3003: "margin account does not exist",
    -3004: "margin trade not allowed",
    -3006: "more than the collateral lets borrow",
    -3008: "borrowing not allowed",
    -3012: "borrowing of this asset is banned",
    -3021: "margin account may not trade this pair",
    -3022: "account banned from trading",
    -3027: "not a margin asset",
    -3028: "not a margin pair",
    -3041: "balance not sufficient",
    -3045: "the venue has not enough of the asset to lend",
    -11001: "asset not supported",
}

TRANSFER: Mapping[int, str] = {
    **GENERAL,
    -3020: "transfer out is more than the maximum",
    -3041: "balance not sufficient",
    -4051: "cross balance not sufficient",
    -5001: "asset cannot be transferred",
    -5002: "balance not sufficient",
    -5003: "no balance of this asset",
    -5011: "account or asset not supported",
    -5012: "sub-account or wallet not open",
    -5013: "transfer failed: balance not sufficient",
    -9000: "asset not available for this account",
    -12014: "too many requests",
}

# Binance says of these that it does not know itself. They are unknown also because they are on no list.
DOCUMENTED_UNKNOWN = frozenset({-1000, -1001, -1006, -1007})

SHORT_OF_MONEY = frozenset({-2018, -2019, -3041})
MISFIT = frozenset({-1013, -1111, -2027, -4004, -4005, -4014, -4023, -4140, -4141, -4164})
"""The listing may have changed: filters, brackets and leverage (-2027), and whether the market is open, of which a
spot pair is told by -1013 and a perpetual by -4140 and -4141."""
_DUPLICATE = "duplicate order sent"
_SERVICE_UNAVAILABLE = "service unavailable."
NO_SUCH_ORDER = frozenset({-2011, -2013})


RequestError = AnsweredError | NoAnswerError | NotSentError


def judge_order(error: RequestError) -> Judged:
    """The outcome of placing an order."""
    return _judge(error, ORDER)


def judge_transfer(error: RequestError) -> Judged:
    """The outcome of a transfer between wallets."""
    return _judge(error, TRANSFER)


def judge_lookup(error: RequestError) -> Judged:
    """The outcome of asking for, or cancelling, one order."""
    if isinstance(error, AnsweredError) and error.status < 500 and error.code in NO_SUCH_ORDER:
        return Judged(Verdict.NOT_FOUND, _words(error))
    return _judge(error, GENERAL)


def _judge(error: RequestError, refused: Mapping[int, str]) -> Judged:
    if isinstance(error, NotSentError):
        return Judged(Verdict.REFUSED, f"not sent: {error}")
    if isinstance(error, NoAnswerError):
        return Judged(Verdict.UNKNOWN, str(error))
    words = _words(error)
    if error.status in {418, 429}:
        return Judged(Verdict.REFUSED, words)
    text = error.message.strip().lower()
    if error.status >= 500:
        certain = error.perp and (error.code == -1008 or (error.status == 503 and text == _SERVICE_UNAVAILABLE))
        return Judged(Verdict.REFUSED if certain else Verdict.UNKNOWN, words)
    if error.code == -2010 and text.startswith(_DUPLICATE):
        return Judged(Verdict.UNKNOWN, words)
    if error.code is not None and error.code in refused:
        short = error.code in SHORT_OF_MONEY or (error.code == -2010 and "insufficient balance" in text)
        return Judged(Verdict.REFUSED, words, short, error.code in MISFIT)
    return Judged(Verdict.UNKNOWN, words)


def _words(error: AnsweredError) -> str:
    code = f"{error.code}" if error.code is not None else f"HTTP {error.status}"
    return f"{code}: {error.message}"
