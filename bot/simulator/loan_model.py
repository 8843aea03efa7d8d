"""What is assumed of borrow rates where nobody tells them: in backtests, and on paper without a key.

Borrow rates were not recorded. The model says: a lender asks `rate_year`, and where a perpetual pays its longs, so
that selling borrowed coins is what everyone wants, he takes `share` of that funding on top. What can be borrowed is
`pool_usd` of each coin. Real rates can be higher and pools empty just when funding is most negative: a result
without a share is the optimist's.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain.time import YEAR_H

RATE_DIGITS = Decimal("0.0000000001")


@dataclass(frozen=True, slots=True)
class LoanModel:
    """`rate_year` is a fraction a year, `share` the lender's part of negative funding, `pool_usd` for each coin."""

    rate_year: float = 0.10
    share: float = 0.5
    pool_usd: float = 1_000_000

    def rate_per_h(self, funding_per_h: float) -> Decimal:
        """What borrowing costs an hour while longs pay `funding_per_h` (negative: they are paid)."""
        rate = self.rate_year / YEAR_H + self.share * max(0.0, -funding_per_h)
        return Decimal(repr(rate)).quantize(RATE_DIGITS)

    def pool(self, price: float) -> Decimal:
        return Decimal(f"{self.pool_usd / price:.4f}")
