"""What a venue pays and charges without a trade, as changes of one balance each: funding, and interest on loans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.events import FundingReceived, InterestCharged
from bot.domain.hedges import Interest, Receipt
from bot.domain.instruments import Wallet

Place = tuple[str, str]
"""(wallet, asset)."""


@dataclass(frozen=True, slots=True)
class Payment:
    """`wallets` are where it may have been booked, the likelier first; `change` is signed."""

    at_ms: int
    venue_id: str
    wallets: tuple[str, ...]
    asset: str
    change: Decimal
    event: FundingReceived | InterestCharged

    def place(self, gaps: Mapping[Place, Decimal]) -> Place | None:
        return next((place for wallet in self.wallets if (place := (wallet, self.asset)) in gaps), None)


@dataclass(frozen=True, slots=True)
class Split:
    """Payments that were in the venue's balances when these were read, and those that came after."""

    before: tuple[Payment, ...]
    after: tuple[Payment, ...]
    explained: bool
    """Whether `before` makes up for every gap exactly."""


def of_receipt(receipt: Receipt) -> Payment:
    wallets = (Wallet.PERP.value, Wallet.UNIFIED.value)
    event = FundingReceived(receipt)
    return Payment(receipt.settled_ms, receipt.venue_id, wallets, receipt.asset, receipt.payment, event)


def of_interest(interest: Interest) -> Payment:
    event, wallets = InterestCharged(interest), (Wallet.MARGIN.value,)
    return Payment(interest.charged_ms, interest.venue_id, wallets, interest.asset, -interest.amount, event)


def split(gaps: Mapping[Place, Decimal], payments: Iterable[Payment]) -> Split:
    """Oldest first, each place by itself until its gap is closed: each wallet was read at a moment of its own."""
    left, before, after = dict(gaps), [], []
    for payment in sorted(payments, key=lambda one: (one.at_ms, one.venue_id)):
        place = payment.place(left)
        if place is None or not left[place]:
            after.append(payment)
        else:
            left[place] -= payment.change
            before.append(payment)
    return Split(tuple(before), tuple(after), not any(left.values()))
