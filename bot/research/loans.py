"""The exchange core's margin account without a wire, and what a backtest assumes of borrow rates.

Borrow rates were not recorded. The model says: a lender asks `rate_year`, and where a perpetual pays its longs, so
that selling borrowed coins is what everyone wants, he takes `share` of that funding on top. What can be borrowed is
`pool_usd` of each coin. Real rates can be higher and pools empty just when funding is most negative: a result
without a share is the optimist's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from bot.domain.events import Event, InterestCharged, LoanRecalled
from bot.domain.hedges import Interest, TransferIntent
from bot.domain.instruments import Instrument, Kind, Wallet, instrument_id
from bot.domain.market import BorrowTerms
from bot.domain.time import YEAR_H
from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Happening, LoanEntry

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


def margin_twin(spot: Instrument) -> Instrument:
    """The same book, traded for the margin wallet."""
    name = instrument_id(spot.venue, spot.symbol, Kind.MARGIN)
    return replace(spot, id=name, kind=Kind.MARGIN, wallet=Wallet.MARGIN)


class Loans:
    """The margin wallet of one account at the exchange core."""

    def __init__(self, exchange: Exchange, api_key: str, venue: str, spots: Mapping[str, Instrument]) -> None:
        """`spots`: asset -> the spot instrument that it can be borrowed for."""
        self._exchange = exchange
        self._key, self._venue = api_key, venue
        self.twins = {asset: margin_twin(spot) for asset, spot in spots.items()}

    def terms(self, at_ms: int) -> Iterator[BorrowTerms]:
        for asset in self.twins:
            rate, available = self._exchange.lending_terms(asset, at_ms)
            yield BorrowTerms(self._venue, asset, rate, available, at_ms)

    def event_of(self, happening: Happening) -> Event | None:
        """Interest and recalls as the engine hears of them."""
        loan = happening.loan
        if loan is None:
            return None
        if happening.kind == "RECALL":
            return LoanRecalled(self._venue, loan.asset, loan.at_ms, "the lender wants it back")
        return InterestCharged(self._interest(loan))

    def charged(self) -> list[Interest]:
        """All interest ever, by the venue's own history."""
        return [self._interest(entry) for entry in self._exchange.loans(self._key) if entry.kind == "INTEREST"]

    def balances(self) -> dict[str, Decimal]:
        """Asset -> what is there less what is owed."""
        return {asset: free - owed for asset, (free, owed) in self._exchange.margin_wallet(self._key).items()}

    def move(self, intent: TransferIntent, at_ms: int) -> int:
        """Collateral in or out; the venue's id. Raises the simulator's VenueError."""
        signed = intent.amount if intent.target == Wallet.MARGIN else -intent.amount
        number, _ = self._exchange.move_collateral(self._key, signed, at_ms)
        return number

    def _interest(self, entry: LoanEntry) -> Interest:
        return Interest(self._venue, "main", entry.asset, entry.amount, entry.rate, entry.at_ms, str(entry.id))


def spots_of(instruments: Mapping[str, Instrument]) -> dict[str, Instrument]:
    """Spot instruments by their base asset."""
    return {one.base_asset: one for one in instruments.values() if one.kind is Kind.SPOT}
