"""A cross-margin wallet: what it holds against what it owes, and how far prices may rise before the venue acts.

The venue watches the level, assets / liabilities. Coins are borrowed and sold, so the assets are quote currency and
the liabilities rise with the coins' prices: a joint rise of all coins by x brings the wallet to liquidation where
assets = LIQUIDATION_LEVEL * owed * (1 + x). Levels: Binance cross margin at 3x, its default
(https://www.binance.com/en/support/faq/360030493931).
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
    """USD at present prices. `owed_usd` is what was borrowed with its unpaid interest."""

    assets_usd: float
    owed_usd: float

    @property
    def own_usd(self) -> float:
        return self.assets_usd - self.owed_usd

    @property
    def distance(self) -> float:
        """Smallest joint rise that brings the wallet to liquidation (0.25 is 25 %); `FAR` if nothing is owed."""
        if self.owed_usd <= 0:
            return FAR
        return min(FAR, max(0.0, self.assets_usd / (self.owed_usd * LIQUIDATION_LEVEL) - 1))

    @property
    def withdrawable_usd(self) -> float:
        return max(0.0, self.assets_usd - WITHDRAWAL_LEVEL * self.owed_usd)


def collateral_share(distance: float) -> float:
    """Own money for each dollar owed with which the venue lends and liquidation is `distance` away."""
    return max(INITIAL_LEVEL, (1 + distance) * LIQUIDATION_LEVEL) - 1
