"""API keys and signed requests, checked as the venue does: HMAC-SHA256, wall-time stamps, receive windows."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.simulator.model import VenueError

RECV_WINDOW_DEFAULT_MS = 5_000
RECV_WINDOW_MAX_MS = 60_000
AHEAD_MAX_MS = 1_000


@dataclass(frozen=True, slots=True)
class Credential:
    """A key of the simulator; its secret is no secret, it only lets clients sign as they would live."""

    api_key: str
    secret: str
    can_withdraw: bool = False
    can_borrow: bool = True
    """Whether it has a margin account."""


CREDENTIALS: Mapping[str, Credential] = {
    c.api_key: c
    for c in (
        Credential("demo-key", "demo-secret"),
        Credential("withdraw-key", "withdraw-secret", can_withdraw=True, can_borrow=False),
        Credential("marginless-key", "marginless-secret", can_borrow=False),
    )
}


def identify(api_key: str | None) -> Credential:
    """The key of the X-MBX-APIKEY header. Raises VenueError -2014 (missing) or -2015 (unknown), HTTP 401."""
    if not api_key:
        raise VenueError(-2014, "API-key format invalid.", 401)
    credential = CREDENTIALS.get(api_key)
    if credential is None:
        raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return credential


def check_signed_request(
    credential: Credential, query: str, body: str, params: Mapping[str, str], wall_ms: int
) -> None:
    """`query` and `body` are the raw texts that were signed, each with its `signature` part if it has one.

    Raises VenueError -1102 (no signature or timestamp), -1022 (wrong signature), -1021 (time).
    """
    signature = params.get("signature")
    if not signature:
        raise missing("signature")
    payload = _without_signature(query) + _without_signature(body)
    if not _matches(credential.secret, payload, signature):
        raise VenueError(-1022, "Signature for this request is not valid.")
    check_time(params, wall_ms)


def check_signed_call(credential: Credential, params: Mapping[str, str], wall_ms: int) -> None:
    """A websocket API call: the signed text is the sorted parameters joined as a query, plain or encoded."""
    signature = params.get("signature")
    if not signature:
        raise missing("signature")
    rest = sorted((k, v) for k, v in params.items() if k != "signature")
    texts = ("&".join(f"{k}={v}" for k, v in rest), urlencode(rest))
    if not any(_matches(credential.secret, text, signature) for text in texts):
        raise VenueError(-1022, "Signature for this request is not valid.")
    check_time(params, wall_ms)


def check_time(params: Mapping[str, str], wall_ms: int) -> None:
    stamp = params.get("timestamp")
    if not stamp:
        raise missing("timestamp")
    window = params.get("recvWindow", str(RECV_WINDOW_DEFAULT_MS))
    try:
        stamp_ms, window_ms = int(stamp), float(window)
    except ValueError:
        name, legal = ("timestamp", "^[0-9]{1,20}$") if not stamp.isdigit() else ("recvWindow", "^[0-9]{1,20}$")
        raise illegal(name, legal) from None
    if window_ms > RECV_WINDOW_MAX_MS:
        raise VenueError(-1131, f"recvWindow must be less than {RECV_WINDOW_MAX_MS}.")
    if stamp_ms >= wall_ms + AHEAD_MAX_MS:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if wall_ms - stamp_ms > window_ms:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def missing(name: str) -> VenueError:
    return VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> VenueError:
    return VenueError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def _without_signature(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def _matches(secret: str, payload: str, signature: str) -> bool:
    expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.lower().encode("ascii", "replace").decode())
