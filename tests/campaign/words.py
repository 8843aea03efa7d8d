"""What the owner has asked for, and from when on the daemon has to keep to it."""

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.campaign.commands import EDITS
from tests.campaign.told import Told

if TYPE_CHECKING:
    from tests.campaign.world import World


class Words(Told):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.store_refuses = False
        """The daemon has told its owner that the database refuses."""

    def commanded(self, verb: str, limits: tuple[Decimal, Decimal], coin: str) -> None:
        super().commanded(verb, limits, coin)
        if verb == "resume":
            self.halted_s = None
        if verb == "readmit":
            self.closed.discard(coin)
        if verb == "include":
            self.excluded.discard(coin)
        if verb in EDITS:
            self.caps.append(limits[0])
            self.ceilings.append(limits[1])

    def obeyed(self, verb: str, coin: str) -> None:
        if self.store_refuses and verb in ("close", "halt", "flatten"):
            return  # the owner was told that nothing is written down: it holds, but no restart can know of it
        if verb == "close":
            self.closed.add(coin)
        if verb == "exclude":
            self.excluded.add(coin)
        if verb in ("halt", "flatten"):
            self.halted_s = self._now_s
        if verb in EDITS:
            del self.caps[:-1]
            del self.ceilings[:-1]
