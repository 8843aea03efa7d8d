"""order/test: the same checks as a real order, against a copy that is thrown away."""

from bot.simulator.exchange.core import Exchange
from bot.simulator.model import OrderRequest
from bot.simulator.wire.venue import Simulation


def rehearse(sim: Simulation, api_key: str, request: OrderRequest) -> None:
    """Raises VenueError with what the order itself would be refused with."""
    copy = Exchange.restore(sim.market, sim.exchange.snapshot())
    copy.place(api_key, request, sim.now_ms)
