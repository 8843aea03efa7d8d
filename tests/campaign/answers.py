"""What comes back for a request, and what proves nothing."""

from dataclasses import dataclass
from typing import Any

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
