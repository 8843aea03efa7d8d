"""What the venue counts of the collateral behind loans: R7's distance of the margin wallet, by the venue's ratio."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.simulator.exchange.lending import LIQUIDATION_LEVEL
from tests.campaign.prudent import ROOM, Prudent
from tests.campaign.truth import MARGIN, ZERO

if TYPE_CHECKING:
    from tests.campaign.answers import Answer
    from tests.campaign.world import World

QUOTE = "USDT"
LEAST_ROOM = Decimal("0.14")
"""R7's least distance less a hundredth."""


class Counted(Prudent):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._ratios: dict[str, list[tuple[float, Decimal]]] = {}
        """When this daemon was told what quote currency counts for, and what, the last two."""

    def starts_anew(self) -> None:
        super().starts_anew()
        self._ratios.clear()

    def lender_told(self, path: str, answer: "Answer") -> None:
        super().lender_told(path, answer)
        if answer.status == 200 and path.endswith("/crossMarginCollateralRatio"):
            for row in answer.document:
                if QUOTE in row["assetNames"]:
                    self._hear(self._ratios, QUOTE, Decimal(row["collaterals"][0]["discountRate"]))

    def far_from_liquidation(self, names: str) -> None:
        """10: the same of the margin wallet, as the daemon was told what counts there."""
        super().far_from_liquidation(names)
        if not self.world.plan.lent:
            return
        ratio, coming = max(self._told_of(self._ratios, QUOTE), default=Decimal(1)), self._coming()
        left = self.collateral_left(1 + ROOM, ratio, coming)
        self.check(10, left >= 0, f"{names}: at {ratio}, a move of {ROOM} leaves {left:.0f} of collateral")

    def loans_uncovered(self) -> Iterator[tuple[tuple[str, str], str]]:
        """R7: what is nearer to liquidation than the least distance is paid back, or collateral comes."""
        if self.world.plan.lent:
            ratio = self.world.exchange.collateral_ratio(QUOTE, int(self.world.market_ms))
            left = self.collateral_left(1 + LEAST_ROOM, ratio, {})
            if left < 0:
                yield ("R7, loans", "all"), f"at {ratio}, a move of {LEAST_ROOM} leaves {left:.0f} of collateral"

    def collateral_left(self, move: Decimal, ratio: Decimal, coming: Mapping[tuple[str, str], Decimal]) -> Decimal:
        """Above the level of liquidation, once all coins have moved by a factor and what comes is sold on loan."""
        wallet = self._account().margin
        assets, owed = wallet.free.get(QUOTE, ZERO), ZERO
        for coin in self.world.market.coins:
            price, lent = self._price(coin), coming.get((coin, MARGIN), ZERO)
            assets += (wallet.free.get(coin, ZERO) + lent) * price
            owed += (wallet.owed.get(coin, ZERO) + lent) * price
        return assets * ratio - LIQUIDATION_LEVEL * owed * move if owed else ZERO
