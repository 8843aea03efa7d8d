"""The owner's word for a balance that no record explains: an airdrop, a rebate, interest that was never told.

A difference between a venue and the books is never booked away by the bot. Its owner may say of exactly this amount
that it is theirs; then it is their capital, like a deposit, and the venue may be traded at again.
"""

from decimal import Decimal

from bot.domain.actions import Reconcile
from bot.domain.events import AcceptDifference, CapitalMoved
from bot.domain.numbers import ZERO, text
from bot.engine import trust
from bot.engine.comparing import DIFFERENCE_CONFIRMED, POSITION
from bot.engine.guarding import book_capital
from bot.engine.state import Actions, EngineState
from bot.ledger import postings


def standing(state: EngineState, asset: str) -> list[tuple[str, str, str]]:
    """(venue, wallet, asset) of each balance of this asset that differs for sure."""
    sure = (key for key, (_, seen) in state.differences.items() if seen >= DIFFERENCE_CONFIRMED)
    return sorted(key for key in sure if key[1] != POSITION and key[2] == asset)


def refusal(state: EngineState, event: AcceptDifference) -> str | None:
    """Why this cannot be accepted; None when it can."""
    if event.wallet == POSITION:
        return "a position is not money: it is closed at the venue, or by its hedge"
    difference, seen = state.differences.get((event.venue, event.wallet, event.asset), (ZERO, 0))
    if not difference:
        return f"{event.asset} in {event.venue} {event.wallet} does not differ from the books"
    if seen < DIFFERENCE_CONFIRMED:
        return (
            f"the difference of {text(difference)} {event.asset} was seen {seen} times: it may still explain itself"
        )
    if difference != event.amount:
        return f"the difference is {text(difference)} {event.asset}, not {text(event.amount)}"
    account = postings.wallet_account(event.venue, event.wallet)
    held, left = _held_base(state, event), state.ledger.balance(account, event.asset) + event.amount
    if event.amount < 0 < held and left < held:
        return (
            f"hedges hold {text(held)} {event.asset}, and {text(left)} would be left: buy the rest back at the venue"
        )
    return None


def _held_base(state: EngineState, event: AcceptDifference) -> Decimal:
    """Coins of this asset that live hedges hold in this wallet."""
    hedges = [hedge for hedge in state.book.live_hedges() if hedge.venue == event.venue]
    total = ZERO
    for leg in (leg for hedge in hedges for leg in hedge.legs if leg.kind.is_coin):
        instrument = state.market.instruments.get(leg.instrument)
        if instrument and (instrument.base_asset, instrument.wallet.value) == (event.asset, event.wallet):
            total += leg.quantity_base
    return total


def accept(state: EngineState, event: AcceptDifference, out: Actions) -> None:
    """Book a standing difference as the owner's capital; once, and only the amount that is there."""
    venue, wallet, asset, amount = event.venue, event.wallet, event.asset, event.amount
    why_not = refusal(state, event)
    if why_not is not None:
        out.warning("ledger.not_accepted", venue=venue, wallet=wallet, asset=asset, amount=amount, reason=why_not)
        return
    venue_id = postings.accepted_id(state.ledger.count + 1)
    moved = CapitalMoved(venue, wallet, asset, amount, venue_id, state.book.now.market_ms)
    if book_capital(state, postings.capital_id(venue, venue_id), moved, out):
        del state.differences[venue, wallet, asset]
        out.warning("ledger.accepted", venue=venue, wallet=wallet, asset=asset, amount=amount, reason=event.reason)
        trust.compared(state, venue, out)
        out.append(Reconcile(venue, "a difference was accepted"))
