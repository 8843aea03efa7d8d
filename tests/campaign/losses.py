"""Rules R4 and R5: a basis that goes against what is held, and worth below where it was."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import INSURANCE_CLEAR
from tests.campaign.closed import Closed
from tests.campaign.market import COINS
from tests.campaign.opening import IN_QUEUE_S
from tests.campaign.truth import ZERO

if TYPE_CHECKING:
    from tests.campaign.world import World

LOSS_SHARE = Decimal("0.0023")
"""Of NAV: twice what R4 bears, which is enough at any z-score that is beyond its threshold, and some more."""
GIVEN_UP = Decimal("0.9")
"""R4 gives up a quarter: less than this of what was held has to be left."""
COOLED_MS = 3_600_000
FALLEN_SOFT, FALLEN_HARD = Decimal("0.015"), Decimal("0.022")
"""R5's limits and 0.7 % of NAV: entry costs are spread over the holding time, and owners come and go."""
LEAST_LOST = {"drawdown.soft": Decimal("0.004"), "drawdown.hard": Decimal("0.0075")}
"""Half of R5's limits: what is entered at a price for the moment was worth more a moment before."""
MARK = "R5", "all"


class Losses(Closed):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._best: dict[str, Decimal] = {}
        """Coin -> the basis at its best for the hedge since it is held, or since R4 last gave a part of it up."""
        self._wide: dict[str, Decimal] = {}
        """Coin -> what was held when its basis was first seen to be too wide."""
        self._size: dict[str, Decimal] = {}
        """Coin -> what was held when it was last looked at."""
        self._acted_ms: dict[str, int] = {}
        self._widest: dict[str, Decimal] = {}
        """Coin -> the widest basis, to either side, of what goes on; and of what has come back by half or more."""
        self._past: dict[str, Decimal] = {}
        self._worth_high: Decimal | None = None
        self._worth_peak = ZERO
        """The most that it has been worth since the start, or since the owner accepted what was lost."""
        self._fallen_s: float | None = None
        """Since when more is lost than R5 lets be lost."""

    def starts_anew(self) -> None:
        super().starts_anew()
        self._best.clear()
        self._wide.clear()
        self._size.clear()

    def commanded(self, verb: str, limits: tuple[Decimal, Decimal], coin: str) -> None:
        """What the owner asks for; `limits` are the coin's cap and the book's ceiling from then on, shares of NAV."""
        if verb == "resume":
            self._worth_high = None  # whatever was lost is accepted

    def alarmed(self, emit: Any) -> None:
        """22: nobody is told of losses, and nothing is closed for them, where little was lost (R5)."""
        super().alarmed(emit)
        if emit.name == "drawdown.accepted":
            self._worth_peak = ZERO
        if emit.name in LEAST_LOST:
            self.fallen(self.nav())
            worth = self._worth(self.nav()) - self._from_fund()  # of which nobody may have been told yet
            lost = 1 - worth / self._worth_peak if self._worth_peak > 0 else ZERO
            self.check(22, lost >= LEAST_LOST[emit.name], f"{emit.name}, and {lost:.4f} of the most was lost")

    # -- R4 -------------------------------------------------------------------------------------------------

    def widened(self, nav: Decimal) -> Iterator[tuple[tuple[str, str], str]]:
        for coin in COINS:
            listed = self.world.market.coins[coin]
            mark, perp = self.marks.get(listed.perp.symbol), self.held(coin)[1]
            size, before = abs(perp), self._size.get(coin, ZERO)
            if mark is not None:
                self._has_been(coin, abs(mark.mark / mark.index - 1))
            if mark is None or size <= self.tradeable(coin) * 10:
                self._forget(coin)
                continue
            basis = (mark.mark / mark.index - 1) * (1 if perp < 0 else -1)
            best = min(basis, self._best.get(coin, basis))
            self._size[coin] = size
            # What is added is entered at the basis of now.
            self._best[coin] = best if size <= before else (best * before + basis * (size - before)) / size
            if size <= max(before, self._wide.get(coin, ZERO)) * GIVEN_UP:
                self._wide.pop(coin, None)
                self._best[coin], self._acted_ms[coin] = basis, int(self.world.market_ms)
                continue
            lost = (basis - self._best[coin]) * size * self._price(coin)
            cooled = self.world.market_ms - self._acted_ms.get(coin, -COOLED_MS) >= COOLED_MS
            unusual = basis > 2 * self._past.get(coin, ZERO)  # then it is by any z-score
            if lost > LOSS_SHARE * nav and cooled and unusual:
                self._wide.setdefault(coin, size)
                yield ("R4", coin), f"{perp} are held, its basis has cost {lost:.0f} of {nav:.0f}"
            else:
                self._wide.pop(coin, None)

    def _has_been(self, coin: str, width: Decimal) -> None:
        widest = self._widest.get(coin, ZERO)
        if width < widest / 2:
            self._past[coin] = max(widest, self._past.get(coin, ZERO))
            self._widest[coin] = width
        else:
            self._widest[coin] = max(width, widest)

    def _forget(self, coin: str) -> None:
        for known in (self._best, self._size, self._wide):
            known.pop(coin, None)

    # -- R5 -------------------------------------------------------------------------------------------------

    def _worth(self, nav: Decimal) -> Decimal:
        """What is neither the owner's coins nor came or went as money of theirs, be it for those coins."""
        own = sum((own * self._price(coin) for coin in COINS if (own := self.own(coin))), ZERO)
        return nav - own + self.spent_by_hand - self.recorded() - self.without_record()

    def _from_fund(self) -> Decimal:
        """What the insurance fund has paid for a perp wallet that was below nothing."""
        paid = (one.amount for one in self._account().incomes if one.kind == INSURANCE_CLEAR and one.amount > 0)
        return sum(paid, ZERO)

    def fallen(self, nav: Decimal) -> Decimal:
        """The share that was lost since the start, or since the owner last resumed."""
        worth = self._worth(nav)
        if self._worth_high is None:
            self._worth_high = worth
        self._worth_peak = max(worth, self._worth_peak)
        return 1 - worth / self._worth_high if self._worth_high > 0 else ZERO

    def lost_too_much(self, nav: Decimal) -> Iterator[tuple[tuple[str, str], str]]:
        fallen = self.fallen(nav)
        if fallen <= FALLEN_SOFT:
            self._fallen_s = None
        elif self._fallen_s is None:
            self._fallen_s = self._now_s
        if fallen > FALLEN_HARD and self.control in ("", "running"):
            yield MARK, f"{fallen:.4f} of the worth was lost and nothing is flattened"

    def opens_after_losses(self, names: str) -> None:
        """What is decided in the moment of a fall may still be committed."""
        fallen = self.fallen(self.nav())
        just = self._fallen_s is None or self._now_s - self._fallen_s < IN_QUEUE_S
        self.check(22, just or fallen <= FALLEN_SOFT, f"{names}: R5, {fallen:.4f} of the worth was lost")
