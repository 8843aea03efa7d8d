"""Read-only questions about the core's state that the shell needs answered; asked between steps only."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.events import AccountReported, FundingReceived
from bot.domain.hedges import Interest, Receipt, TransferIntent
from bot.domain.instruments import Wallet
from bot.domain.market import SettledRate
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderRecord
from bot.domain.valuation import USD_ASSETS
from bot.engine.borrowing import in_opening
from bot.engine.comparing import POSITION, before_opening
from bot.engine.money import receipt_seen
from bot.engine.state import EngineState
from bot.ledger import postings


class StateView:
    """What a reconciliation asks of the engine's state about one venue."""

    def __init__(self, state: EngineState, venue: str) -> None:
        self._state = state
        self._venue = venue

    def unsettled(self) -> Sequence[OrderRecord]:
        """Orders whose outcome or fills are not all known."""
        return [r for r in self._state.orders.values() if r.intent.venue == self._venue and not r.settled]

    def pending_transfers(self) -> Sequence[TransferIntent]:
        """Transfers that were decided and have no outcome."""
        return [t for t in self._state.transfers.values() if t.venue == self._venue]

    def unanswered(self, transfer_id: str) -> bool:
        """Whether the request of a transfer has ended without an answer."""
        return transfer_id in self._state.transfers_unknown

    def instruments(self) -> Sequence[str]:
        """Listed instruments that a fill which is not booked yet can be of."""
        found = {record.intent.instrument for record in self.unsettled()}
        for hedge in self._state.hedges.values():
            if hedge.venue == self._venue and hedge.live:
                found.update(leg.instrument for leg in hedge.legs)
        return sorted(found & self._state.market.instruments.keys())

    def suspects(self, report: AccountReported) -> Sequence[str]:
        """Those of them that a difference points at: both legs of each coin that differs, and unsettled orders'."""
        positions = self._positions()
        differing = {asset for _, asset in self._gaps(report)}
        found = {record.intent.instrument for record in self.unsettled()}
        for pair in self._state.market.all_pairs():
            moved = report.positions.get(pair.perp.id, ZERO) != positions.get(pair.perp.id, ZERO)
            if pair.venue == self._venue and (moved or pair.spot.base_asset in differing):
                found |= {pair.spot.id, pair.perp.id}
        return sorted(found & self._state.market.instruments.keys())

    def difference(self, report: AccountReported) -> dict[tuple[str, str], Decimal]:
        """Venue less books, where that is not zero: by (wallet, asset), and positions by ("position", instrument)."""
        held = self._positions()
        moved = {
            (POSITION, name): report.positions.get(name, ZERO) - held.get(name, ZERO)
            for name in sorted(held.keys() | report.positions.keys())
        }
        return self._gaps(report) | {place: amount for place, amount in moved.items() if amount}

    def agrees(self, report: AccountReported, *, money: bool = True) -> bool:
        """Whether the venue's balances and positions are exactly those of the books; without `money`, all but what
        funding and interest change: USD, and the margin wallet."""
        return not any(money or not _paid_into(*place) for place in self.difference(report))

    def money_gap(self, report: AccountReported) -> dict[tuple[str, str], Decimal]:
        """Venue less books by (wallet, asset), of what funding and interest change."""
        return {place: gap for place, gap in self._gaps(report).items() if _paid_into(*place)}

    def booked(self, receipt: Receipt) -> bool:
        """Whether the books have this receipt."""
        return self._state.ledger.knows(postings.receipt_id(receipt))

    def old_news(self, fact: SettledRate | FundingReceived) -> bool:
        """Whether this settlement or receipt would change nothing any more: histories are asked for with an overlap.

        What the core waits for is news whatever it has: that it was told ends the waiting.
        """
        state = self._state
        if isinstance(fact, SettledRate):
            return fact.instrument not in state.rates_due_ms and state.market.knows_rate(fact)
        receipt = fact.receipt
        waited_for = (receipt.instrument, receipt.settled_ms) in state.receipts_due_ms
        seen = receipt_seen(state, receipt.instrument, receipt.settled_ms)
        return seen and not waited_for and self.booked(receipt)

    def charged(self, interest: Interest) -> bool:
        """Whether the books have this interest, in their opening balance perhaps."""
        known = self._state.ledger.knows(postings.interest_id(interest))
        return known or in_opening(self._state, interest)

    def in_opening(self, wallet: str, at_ms: int) -> bool:
        """Whether what happened to a wallet at this market time is in its own opening balance."""
        return before_opening(self._state, self._venue, wallet, at_ms)

    def knows_capital(self, venue_id: str) -> bool:
        """Whether the books have this deposit or withdrawal."""
        return self._state.ledger.knows(postings.capital_id(self._venue, venue_id))

    def _positions(self) -> dict[str, Decimal]:
        held: dict[str, Decimal] = {}
        for hedge in self._state.hedges.values():
            for leg in hedge.legs:
                if hedge.venue == self._venue and not leg.kind.is_coin:
                    held[leg.instrument] = held.get(leg.instrument, ZERO) + leg.quantity_base
        return {name: quantity for name, quantity in held.items() if quantity}

    def _gaps(self, report: AccountReported) -> dict[tuple[str, str], Decimal]:
        """Venue less books by (wallet, asset), where that is not zero."""
        gaps: dict[tuple[str, str], Decimal] = {}
        for wallet, assets in report.balances.items():
            for asset, amount in assets.items():
                gaps[wallet, asset] = amount
        for (account, asset), amount in self._state.ledger.balances.items():
            kind, _, place = account.partition(":")
            venue, _, wallet = place.partition(":")
            if kind == "venue" and venue == self._venue:
                gaps[wallet, asset] = gaps.get((wallet, asset), ZERO) - amount
        return {place: gap for place, gap in gaps.items() if gap}

    @property
    def empty(self) -> bool:
        """Nothing is held and nothing is in flight."""
        return not self._state.hedges and not self._state.orders

    def listed(self) -> Sequence[str]:
        """Instruments of all pairs: what liquidity is asked for."""
        found = []
        for pair in self._state.market.pairs.values():
            if pair.venue == self._venue:
                found += [pair.spot.id, pair.perp.id]
        return found

    def lent(self) -> Sequence[str]:
        """Assets that can be borrowed: what terms are asked for."""
        reverse = self._state.market.reverse.values()
        return [pair.spot.base_asset for pair in reverse if pair.venue == self._venue]


def _paid_into(wallet: str, asset: str) -> bool:
    return asset in USD_ASSETS or wallet == Wallet.MARGIN.value
