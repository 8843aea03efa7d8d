"""What the engine tells of itself: the figures behind `status` and `hedges`, computed when asked."""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain import valuation
from bot.domain.hedges import Control, Hedge
from bot.domain.numbers import ZERO
from bot.engine.state import EngineState
from bot.strategy.builders import estimate


@dataclass(frozen=True, slots=True)
class HedgeView:
    """A live hedge's figures; `carry_apr` is a fraction a year, None while history is missing."""

    notional_usd: Decimal
    imbalance_base: Decimal
    carry_apr: float | None
    basis_pnl_usd: Decimal
    marks: dict[str, Decimal | None]


def nav_usd(state: EngineState) -> Decimal:
    return valuation.nav_usd(state.book)


def leverage(state: EngineState) -> Decimal:
    return valuation.leverage(state.book)


def unhedged_usd(state: EngineState) -> Decimal:
    return valuation.unhedged_usd(state.book)


def deployed_usd(state: EngineState) -> Decimal:
    return valuation.deployed_usd(state.book)


def state_name(state: EngineState) -> str:
    """starting, running, halted, flattening or stopping."""
    if state.stopping:
        return "stopping"
    if not state.book.ready or not all(state.book.ready.values()):
        return "starting"
    return state.book.control.value if state.book.control is not Control.RUNNING else "running"


def hedge_view(state: EngineState, hedge: Hedge) -> HedgeView:
    """Basis P&L is all price P&L of the legs before fees, with the slippage of our own orders taken out."""
    pair = state.book.pair_of(hedge)
    found = estimate(state.book, pair, 0.0) if pair is not None else None
    return HedgeView(
        notional_usd=valuation.notional_usd(state.book, hedge),
        imbalance_base=hedge.imbalance_base,
        carry_apr=found.apr if found is not None else None,
        basis_pnl_usd=valuation.price_pnl_usd(state.book, hedge) + hedge.slippage_usd,
        marks={leg.instrument: valuation.mark_price(state.book, leg.instrument) or None for leg in hedge.legs},
    )


def receipts_usd(state: EngineState) -> Decimal:
    """All funding that the ledger has booked, in USD-like assets."""
    return -sum(
        (
            amount
            for (account, asset), amount in state.ledger.balances.items()
            if account.startswith("funding:") and asset in valuation.USD_ASSETS
        ),
        ZERO,
    )
