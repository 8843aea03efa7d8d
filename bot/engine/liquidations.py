"""What a liquidation costs beyond its trade: the venue's own fee for it, told by the venue's history alone."""

from bot.domain.events import LiquidationCharged
from bot.domain.hedges import Hedge, LiquidationCharge
from bot.domain.numbers import ONE
from bot.domain.valuation import USD_ASSETS, coin_price
from bot.engine.money import TAKEN, ended_before, holder, owners_dollars
from bot.engine.state import Actions, EngineState
from bot.ledger import postings


def charged(state: EngineState, event: LiquidationCharged, out: Actions) -> None:
    """Post a charge once, as a fee of the hedge that was liquidated; what names nobody is booked all the same."""
    charge = event.charge
    transaction_id = postings.charge_id(charge)
    if state.ledger.knows(transaction_id):
        return
    hedge = _liquidated(state, charge)
    owner = hedge.id if hedge is not None else postings.FOREIGN
    entries = postings.charge_entries(charge, owner)
    transaction = state.ledger.post(transaction_id, charge.charged_ms, "liquidation", owner, entries)
    assert transaction is not None
    if hedge is not None:
        price = ONE if charge.asset in USD_ASSETS else coin_price(state.book, charge.venue, charge.asset)
        hedge.fees_usd -= charge.amount * price
        out.persist(hedge)
    elif charge.instrument is not None:  # what names nobody may have been ours
        owners_dollars(state, transaction, out)
    out.persist(transaction)
    out.warning(
        "liquidation.charged",
        venue=charge.venue,
        coin=hedge.coin if hedge is not None else None,
        hedge=owner,
        instrument=charge.instrument,
        amount=charge.amount,
        asset=charge.asset,
        charged_ms=charge.charged_ms,
    )


def _liquidated(state: EngineState, charge: LiquidationCharge) -> Hedge | None:
    """The hedge whose perpetual the venue names. It names none: the only one at the venue that it has taken from."""
    if charge.instrument is not None:
        return holder(state, charge.instrument, charge.charged_ms)
    at_ms = charge.charged_ms
    there = [one for one in state.remembered_hedges() if one.venue == charge.venue and one.opened_ms <= at_ms]
    taken = [hedge for hedge in there if hedge.reason == TAKEN and not ended_before(hedge, at_ms)]
    return taken[0] if len(taken) == 1 else None
