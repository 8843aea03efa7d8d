"""`ledger --verify`: do the books and the venue agree to the last digit, and has nobody altered the past?

The ledger is read first, then the venue's balances. What the venue booked since is in its history and not in the
ledger, so for each asset: venue = ledger + what is not booked yet, exactly. Trades count only when the balances
held still around the reading of the history.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.hedges import Interest, Receipt
from bot.domain.instruments import Instrument, Wallet
from bot.domain.ledger import Entry
from bot.domain.numbers import ZERO
from bot.domain.orders import Fill
from bot.domain.time import DAY_MS
from bot.domain.valuation import USD_ASSETS
from bot.ledger import postings
from bot.observe.views import View, exact, iso
from bot.ports import CapitalBooked, Venue, VenueError

OVERLAP_MS = 3 * DAY_MS
TRIES = 12
PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The ledger of one venue at one moment, out of the database."""

    balances: Mapping[str, Decimal]
    """Sum over the venue's wallets by asset."""
    opened_ms: int
    """Market time of the opening balance; 0 when the ledger is empty."""
    margin_opened_ms: int
    """The same of the margin wallet; 0 when the ledger has none."""
    last_ms: int
    """Market time of the newest transaction."""
    recent_ids: frozenset[str]
    """Ids of the transactions of the last `OVERLAP_MS`."""
    instruments: Sequence[str]
    """Every instrument that an order of ours ever named."""
    problem: str | None
    """What is wrong with the hash chain or the double entry; None when both hold."""
    transactions: int

    @property
    def since_ms(self) -> int:
        """Where the venue's history is read from: its facts may be booked late, and out of order."""
        return max(self.opened_ms, self.last_ms - OVERLAP_MS)


Read = Callable[[], Awaitable[LedgerState]]
Listing = Callable[[], Awaitable[Mapping[str, Instrument]]]
"""The venue's instruments by id; asked for once, and only when history has to be read."""


@dataclass(slots=True)
class _Comparison:
    ledger: LedgerState
    venue: dict[str, Decimal]
    unbooked: dict[str, Decimal] = field(default_factory=dict)
    unbooked_facts: int = 0

    def add(self, facts: Mapping[str, Sequence[Entry]]) -> None:
        """Count what the ledger does not have yet."""
        for name, entries in facts.items():
            if name not in self.ledger.recent_ids:
                self.unbooked_facts += 1
                for entry in entries:
                    self.unbooked[entry.asset] = self.unbooked.get(entry.asset, ZERO) + entry.amount

    def difference(self, asset: str) -> Decimal:
        held = self.venue.get(asset, ZERO)
        return held - self.ledger.balances.get(asset, ZERO) - self.unbooked.get(asset, ZERO)

    @property
    def only_money(self) -> bool:
        """Coins agree: no spot trade is missing."""
        return not any(self.difference(asset) for asset in self.assets if asset not in USD_ASSETS)

    @property
    def assets(self) -> list[str]:
        return sorted({*self.venue, *self.ledger.balances, *self.unbooked})

    @property
    def balanced(self) -> bool:
        return not any(self.difference(asset) for asset in self.assets)


async def verify(venue: Venue, listing: Listing, read: Read) -> View:
    """Compare until the venue's balances are explained, a bounded number of times. Raises VenueError, StoreError."""
    instruments: Mapping[str, Instrument] = {}
    latest: _Comparison | None = None
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(PAUSE_S)
        compared = _Comparison(await read(), await _balances(venue))
        if compared.balanced:
            return _view(venue, compared)
        instruments = instruments or await listing()
        if await _explain_by_payments(compared, venue, instruments):
            return _view(venue, compared)
        compared = _Comparison(compared.ledger, compared.venue)
        if await _explain_by_history(compared, venue, instruments):
            latest = compared
            if compared.balanced:
                break
    if latest is None:
        raise VenueError(f"{venue.name}: its balances did not hold still; stop the trading and try again")
    return _view(venue, latest)


async def _balances(venue: Venue) -> dict[str, Decimal]:
    """What the venue holds for us, summed over its wallets, by asset."""
    found: dict[str, Decimal] = {}
    for assets in (await venue.fetch_account()).balances.values():
        for asset, amount in assets.items():
            found[asset] = found.get(asset, ZERO) + amount
    return found


async def _explain_by_payments(compared: _Comparison, venue: Venue, instruments: Mapping[str, Instrument]) -> bool:
    """Whether funding and interest that are not booked yet explain the difference: there is no need to hold still.

    The balances were read before the payments, so the newest of them may have come after: of each asset they are
    added one by one, oldest first, until its difference is gone.
    """
    ledger = compared.ledger
    if not ledger.opened_ms or not (compared.only_money or venue.lender is not None):
        return False
    receipts = await venue.fetch_receipts(ledger.since_ms)
    charged = () if venue.lender is None else await venue.lender.fetch_interest(ledger.since_ms)
    payments = [(one.settled_ms, _facts(venue.name, (), (one,), instruments)) for one in receipts]
    payments += [(one.charged_ms, _interest(venue.name, (one,), ledger.margin_opened_ms)) for one in charged]
    for _, facts in sorted(payments, key=lambda payment: payment[0]):
        if any(compared.difference(entry.asset) for entries in facts.values() for entry in entries):
            compared.add(facts)
    return compared.balanced


async def _explain_by_history(compared: _Comparison, venue: Venue, instruments: Mapping[str, Instrument]) -> bool:
    """Add everything that is not booked yet; True when the balances held still meanwhile."""
    ledger = compared.ledger
    if ledger.opened_ms:
        listed = [name for name in ledger.instruments if name in instruments]
        history = await venue.fetch_history(ledger.since_ms, listed)
        compared.add(_facts(venue.name, history.fills, history.receipts, instruments))
        compared.add(_interest(venue.name, history.interest, ledger.margin_opened_ms))
        if not compared.balanced:
            booked = await venue.fetch_capital(ledger.since_ms)
            compared.add(_capital(venue.name, booked, ledger.margin_opened_ms))
    return await _balances(venue) == compared.venue


def _facts(
    venue: str, fills: Sequence[Fill], receipts: Sequence[Receipt], instruments: Mapping[str, Instrument]
) -> dict[str, list[Entry]]:
    """The venue's facts as the ledger would book them, by transaction id. Moves between wallets change no sum."""
    facts: dict[str, list[Entry]] = {}
    for fill in fills:
        if fill.instrument in instruments:
            facts[postings.fill_id(fill)] = postings.fill_entries(fill, instruments[fill.instrument], "unbooked")
    for receipt in receipts:
        if receipt.instrument in instruments:
            instrument = instruments[receipt.instrument]
            facts[postings.receipt_id(receipt)] = postings.receipt_entries(receipt, instrument, "unbooked")
    return {name: [e for e in lines if e.account.startswith(f"venue:{venue}:")] for name, lines in facts.items()}


def _interest(venue: str, charged: Sequence[Interest], opened_ms: int) -> dict[str, list[Entry]]:
    """Interest as the ledger would book it; what was charged before it had the wallet is in its opening balance."""
    return {
        postings.interest_id(one): [Entry(f"venue:{venue}:{Wallet.MARGIN.value}", one.asset, -one.amount)]
        for one in charged
        if one.charged_ms > opened_ms
    }


def _capital(venue: str, booked: Sequence[CapitalBooked], margin_ms: int) -> dict[str, list[Entry]]:
    """Deposits and withdrawals as the ledger would book them; a move within the account changes no sum.

    What came to the margin wallet before `margin_ms` is in its opening balance.
    """
    return {
        postings.capital_id(venue, one.venue_id): [Entry(f"venue:{venue}:{one.wallet}", one.asset, one.amount)]
        for one in booked
        if not one.returned and not (one.wallet == Wallet.MARGIN and one.at_ms <= margin_ms)
    }


def _view(venue: Venue, compared: _Comparison) -> View:
    rows = [
        {
            "venue_name": venue.name,
            "asset": asset,
            "ledger": exact(compared.ledger.balances.get(asset, ZERO)),
            "venue": exact(compared.venue.get(asset, ZERO)),
            "unbooked": exact(compared.unbooked.get(asset, ZERO)),
            "difference": exact(compared.difference(asset)),
        }
        for asset in compared.assets
    ]
    problem = compared.ledger.problem
    return {
        "balanced": compared.balanced and problem is None,
        "chain": "intact" if problem is None else problem,
        "transactions": compared.ledger.transactions,
        "unbooked_facts": compared.unbooked_facts,
        "booked_until": iso(compared.ledger.last_ms),
        "venue_time": iso(venue.market_ms()),
        "assets": rows,
    }
