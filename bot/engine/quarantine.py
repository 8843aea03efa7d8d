"""How long a hedge has waited for the outcome of an order: R10 can do nothing about it, so its owner is woken."""

from bot.domain.hedges import Hedge
from bot.domain.orders import OrderState
from bot.domain.valuation import price_of
from bot.engine.state import Actions, EngineState
from bot.risk.rules import r10_leg_imbalance

UNKNOWN_MS = 30_000
"""Wall time. A doubt mostly ends within seconds."""


def watch(state: EngineState, hedge: Hedge, out: Actions) -> None:
    """Tell, once and aloud, of an outcome that stays unknown: a leg may be naked for as long."""
    now = state.book.now.mono_ms
    since = state.quarantined_mono_ms.setdefault(hedge.id, now)
    if now - since < UNKNOWN_MS or hedge.id in state.stuck:
        return
    state.stuck.add(hedge.id)
    unknown = [one.intent.client_id for one in state.book.orders_of(hedge) if one.state is OrderState.UNKNOWN]
    out.critical(
        "hedge.unknown",
        hedge=hedge.id,
        coin=hedge.coin,
        orders=", ".join(unknown),
        waited_s=(now - since) // 1000,
        unhedged_usd=round(abs(hedge.imbalance_base) * price_of(state.book, hedge), 2),
        rule=r10_leg_imbalance.RULE,
    )


def release(state: EngineState, hedge: Hedge) -> None:
    """The venue has told."""
    if state.quarantined_mono_ms.pop(hedge.id, None) is not None:
        state.stuck.discard(hedge.id)
