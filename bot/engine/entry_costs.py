"""R5's entry costs: what opening cost is spread over the holding time, what is given up is lost at once."""

from decimal import Decimal

from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, Leg
from bot.domain.instruments import Kind
from bot.domain.numbers import ZERO
from bot.domain.orders import Fill, OrderRecord
from bot.domain.valuation import USD_ASSETS
from bot.engine.state import Actions, EngineState
from bot.risk.review import GROWS
from bot.risk.rules import r05_drawdown


def opened(state: EngineState, hedge: Hedge, order: OrderRecord, fill: Fill, fee_usd: Decimal, out: Actions) -> None:
    """Fee and slippage of a fill that opened or completed. A fee in a coin that R5 does not measure is not spread."""
    if order.intent.purpose not in GROWS:
        return
    instrument = state.market.instruments[fill.instrument]
    measured = fill.fee_asset in USD_ASSETS or (instrument.kind.is_coin and fill.fee_asset == instrument.base_asset)
    fee_usd = fee_usd if measured else ZERO
    slipped = fill.side.sign * (fill.price - order.intent.decided_price) * fill.quantity_base
    usd, at_ms = r05_drawdown.add_entry_cost(state.book, hedge.id, fee_usd + slipped, fill.traded_ms)
    out.persist(Remembered(r05_drawdown.RULE, hedge.id, "entry_cost", usd, at_ms))


def moved(state: EngineState, hedge: Hedge, leg: Leg, held: Decimal, out: Actions) -> None:
    """The perpetual went from `held` to what its leg says now: less of it bears less of the costs."""
    if leg.kind is not Kind.PERP or not held or abs(leg.quantity_base) >= abs(held):
        return
    if hedge.id not in state.book.guards.drawdown.entry_costs:
        return
    usd, at_ms = r05_drawdown.keep_entry_cost(state.book, hedge.id, abs(leg.quantity_base) / abs(held))
    out.persist(Remembered(r05_drawdown.RULE, hedge.id, "entry_cost", usd, at_ms))
