"""Read-only questions about the core's state that the shell needs answered; asked between steps only."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.events import AccountReported
from bot.domain.hedges import TransferIntent
from bot.domain.instruments import Kind
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderRecord
from bot.domain.valuation import USD_ASSETS
from bot.engine.state import EngineState


class StateView:
    """`reconcile.AccountView` of one venue over the engine's state."""

    def __init__(self, state: EngineState, venue: str) -> None:
        self._state = state
        self._venue = venue

    def unsettled(self) -> Sequence[OrderRecord]:
        """Orders whose outcome or fills are not all known."""
        return [r for r in self._state.orders.values() if r.intent.venue == self._venue and not r.settled]

    def pending_transfers(self) -> Sequence[TransferIntent]:
        """Transfers that were decided and have no outcome."""
        return [t for t in self._state.transfers.values() if t.venue == self._venue]

    def instruments(self) -> Sequence[str]:
        """Listed instruments that a fill which is not booked yet can be of."""
        found = {record.intent.instrument for record in self.unsettled()}
        for hedge in self._state.hedges.values():
            if hedge.venue == self._venue and hedge.live:
                found.update(leg.instrument for leg in hedge.legs)
        return sorted(found & self._state.market.instruments.keys())

    def agrees(self, report: AccountReported, *, money: bool = True) -> bool:
        """Whether the venue's balances and positions are exactly those of the books; without `money`, all but USD."""
        booked: dict[tuple[str, str], Decimal] = {}
        for (account, asset), amount in self._state.ledger.balances.items():
            kind, _, place = account.partition(":")
            venue, _, wallet = place.partition(":")
            if kind == "venue" and venue == self._venue and amount and (money or asset not in USD_ASSETS):
                booked[wallet, asset] = amount
        held: dict[str, Decimal] = {}
        for hedge in self._state.hedges.values():
            for leg in hedge.legs:
                if hedge.venue == self._venue and leg.kind is not Kind.SPOT:
                    held[leg.instrument] = held.get(leg.instrument, ZERO) + leg.quantity_base
        reported = {
            (wallet, asset): amount
            for wallet, assets in report.balances.items()
            for asset, amount in assets.items()
            if amount and (money or asset not in USD_ASSETS)
        }
        positions = {name: quantity for name, quantity in report.positions.items() if quantity}
        return reported == booked and positions == {name: q for name, q in held.items() if q}

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
