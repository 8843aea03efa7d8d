"""What a REST endpoint is: a row of a table with its security, weight, parameters and a synchronous handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bot.simulator.wire.params import Params

if TYPE_CHECKING:
    from bot.simulator.wire.venue import Simulation


class Security(StrEnum):
    NONE = "none"
    KEY = "key"  # X-MBX-APIKEY alone, as for listen keys
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed authentication; `api_key` is empty for public endpoints."""

    params: Params
    api_key: str


Handler = Callable[["Simulation", Call], Any]
Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`known` None accepts any parameter (USD-M); otherwise others are refused with -1104 (spot).

    `places_order` counts against the order limits.
    """

    handler: Handler
    security: Security = Security.NONE
    weight: Weight = 1
    known: frozenset[str] | None = None
    places_order: bool = False

    def weight_of(self, params: Params) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(params)


Table = Mapping[tuple[str, str], Endpoint]


def known(*names: str) -> frozenset[str]:
    return frozenset(names)
