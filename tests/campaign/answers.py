"""What comes back for a request, and what proves nothing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.campaign.faults import Fault

KEY = "demo-key"
CANARY = "canary5e1d0c77nowhere"
"""The API secret, which must come out nowhere."""
HANG_S = 4.0
"""How long a request waits for an answer that does not come."""


@dataclass
class Answer:
    status: int
    document: Any
    headers: dict[str, str]


class SpoiltError(Exception):
    """An answer of the given sort that proves nothing."""


def lost_as(fault: "Fault | None") -> str:
    """Of a request whose daemon dies over it nobody hears anything."""
    if fault is None:
        return "reset"
    return "hang" if fault.kind == "order_over_crash" else fault.how or "reset"


def limited(status: int, seconds: float) -> Answer:
    document = {"code": -1003, "msg": "Too many requests."}
    return Answer(status, document, {"Retry-After": str(max(1, int(seconds + 0.999)))})
