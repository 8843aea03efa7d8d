"""Read-only questions about the core's state that the shell needs answered; asked between steps only."""

from collections.abc import Sequence

from bot.domain.hedges import TransferIntent
from bot.domain.orders import OrderRecord
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

    def listed(self) -> Sequence[str]:
        """Instruments of all pairs: what liquidity is asked for."""
        found = []
        for pair in self._state.market.pairs.values():
            if pair.venue == self._venue:
                found += [pair.spot.id, pair.perp.id]
        return found
