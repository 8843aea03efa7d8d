"""The exchange core's margin account as the engine hears of it: without a wire, in base units."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from bot.domain.events import Event, InterestCharged, LoanRecalled
from bot.domain.hedges import Interest, TransferIntent
from bot.domain.instruments import Instrument, Kind, Wallet, margin_twin
from bot.domain.market import BorrowTerms
from bot.ports import TransferBooked
from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Happening, LoanEntry


class Loans:
    """The margin wallet of one account at the exchange core."""

    def __init__(
        self, exchange: Exchange, api_key: str, venue: str, spots: Mapping[str, Instrument], account: str = "main"
    ) -> None:
        """`spots`: asset -> the spot instrument that it can be borrowed for."""
        self._exchange = exchange
        self._key, self._venue, self._account = api_key, venue, account
        self.twins: dict[str, Instrument] = {}
        self.admit(spots)

    def admit(self, spots: Mapping[str, Instrument]) -> None:
        """Add or replace what can be borrowed."""
        self.twins.update((asset, margin_twin(spot)) for asset, spot in spots.items())

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

    def moves(self) -> list[TransferBooked]:
        """All collateral that came from the spot wallet or went back to it."""
        spot, margin = Wallet.SPOT.value, Wallet.MARGIN.value
        return [
            TransferBooked(
                str(entry.id),
                entry.asset,
                abs(entry.amount),
                spot if entry.amount > 0 else margin,
                margin if entry.amount > 0 else spot,
                entry.at_ms,
            )
            for entry in self._exchange.loans(self._key)
            if entry.kind == "TRANSFER"
        ]

    def move(self, intent: TransferIntent, at_ms: int) -> int:
        """Collateral in or out; the venue's id. Raises the simulator's VenueError."""
        signed = intent.amount if intent.target == Wallet.MARGIN else -intent.amount
        number, _ = self._exchange.move_collateral(self._key, signed, at_ms)
        return number

    def _interest(self, entry: LoanEntry) -> Interest:
        return Interest(self._venue, self._account, entry.asset, entry.amount, entry.rate, entry.at_ms, str(entry.id))


def spots_of(instruments: Mapping[str, Instrument]) -> dict[str, Instrument]:
    """Spot instruments by their base asset."""
    return {one.base_asset: one for one in instruments.values() if one.kind is Kind.SPOT}
