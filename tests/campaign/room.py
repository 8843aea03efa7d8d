"""What a market and an account bear: slices by the depth that was told, nothing opened on money that is not there."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book
from tests.campaign.counted import Counted
from tests.campaign.truth import Sent

if TYPE_CHECKING:
    from tests.campaign.answers import Answer
    from tests.campaign.world import World

BAND, SHARE = Decimal("0.001"), Decimal("0.25")
"""Depth counts within ten basis points of the mid; a slice takes a quarter of the thinner leg's."""
SHORT = frozenset({-2018, -2019, -3041})
REFUSED, LACKING = -2010, "insufficient balance"


class Room(Counted):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._depths: dict[tuple[Book, str], list[Decimal]] = {}
        """The thinner side's USD, the last two that were told to this daemon."""
        self.short_s = -1e9
        """When the daemon was last told that the account lacks the money for an order that opens."""

    def starts_anew(self) -> None:
        super().starts_anew()
        self._depths.clear()
        self.short_s = -1e9

    def depth_told(self, path: str, params: Mapping[str, Any], answer: "Answer") -> None:
        if answer.status != 200:
            return
        sides = [[(Decimal(p), Decimal(q)) for p, q in answer.document[side]] for side in ("bids", "asks")]
        mid = (sides[0][0][0] + sides[1][0][0]) / 2
        near = [sum(p * q for p, q in side if abs(p / mid - 1) <= BAND) for side in sides]
        key = Book.PERP if path.startswith("/fapi") else Book.SPOT, str(params["symbol"])
        self._depths[key] = [*self._depths.get(key, [])[-1:], Decimal(min(near))]

    def slice_usd(self, coin: Any) -> Decimal:
        """The largest that one order may be. Of what no depth was told nothing may be opened."""
        told = [self._depths.get(key) for key in ((Book.SPOT, coin.spot.symbol), (Book.PERP, coin.perp.symbol))]
        self.check(22, all(told), f"R8, {coin.name} is opened and its depth was not told")
        thinner = min((max(depths) for depths in told if depths), default=Decimal(0))
        usd: Decimal = min(self.world.plan.slice_usd, thinner * SHARE)
        return usd

    def refused_for_money(self, sent: Sent, answer: "Answer") -> None:
        """An order that opens was refused because there is not enough."""
        if answer.status != 400 or not self.opens(self.intents[sent.client_id]):
            return
        code, text = answer.document["code"], str(answer.document["msg"]).lower()
        if code in SHORT or (code == REFUSED and LACKING in text):
            self.short_s = self._now_s
