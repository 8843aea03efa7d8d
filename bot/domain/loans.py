"""A cross-margin wallet: what it holds against what it owes, and how far prices may rise before the venue acts.

The venue watches the level, collateral / liabilities. Coins are borrowed and sold, so the assets are quote currency
and the liabilities rise with the coins' prices: a joint rise of all coins by x brings the wallet to liquidation where
ratio * assets = LIQUIDATION_LEVEL * owed * (1 + x). Levels: Binance cross margin at 3x, its default
(https://www.binance.com/en/support/faq/360030493931).

`ratio` is the share of its worth at which the venue counts quote currency as collateral, 1 where nothing is cut.
Binance limits borrowing and transfers by it (the collateral margin level); since January 2026 it has one ratio for
each of those and one for liquidations. The one that its API tells counts for all three here.
"""

from bot.domain.struct import struct

LIQUIDATION_LEVEL = 1.1
"""At this level the venue sells the assets and buys back what is owed."""
INITIAL_LEVEL = 1.5
"""Nothing more is lent that would leave the level below this."""
WITHDRAWAL_LEVEL = 2.0
"""Nothing may be moved out that would leave the level below this."""
FAR = 4.0
"""Stands for `no move would`, as in `bot.domain.margin`."""


@struct(frozen=True, slots=True)
class MarginWallet:
    """USD at present prices, uncut. `owed_usd` is what was borrowed with its unpaid interest."""

    assets_usd: float
    owed_usd: float
    ratio: float = 1.0

    @property
    def own_usd(self) -> float:
        return self.assets_usd - self.owed_usd

    @property
    def level(self) -> float:
        """What the venue counts as collateral for each dollar owed; something must be owed."""
        return self.assets_usd * self.ratio / self.owed_usd

    @property
    def distance(self) -> float:
        """Smallest joint rise that brings the wallet to liquidation (0.25 is 25 %); `FAR` if nothing is owed."""
        if self.owed_usd <= 0:
            return FAR
        return min(FAR, max(0.0, self.level / LIQUIDATION_LEVEL - 1))

    @property
    def withdrawable_usd(self) -> float:
        return max(0.0, self.assets_usd - WITHDRAWAL_LEVEL * self.owed_usd / self.ratio)


def collateral_share(distance: float, ratio: float = 1.0) -> float:
    """Own money for each dollar owed with which the venue lends and liquidation is `distance` away.

    What the sale of the coins brought lies in the wallet as well, and is cut as the rest is.
    """
    return max(INITIAL_LEVEL, (1 + distance) * LIQUIDATION_LEVEL) / ratio - 1
