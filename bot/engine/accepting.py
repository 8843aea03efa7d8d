"""The owner's word for a balance that no record explains: an airdrop, a rebate, interest that was never told.

A difference between a venue and the books is never booked away by the bot. Its owner may say of exactly this amount
that it is theirs; then it is their capital, like a deposit, and the venue may be traded at again. Coins that a hedge
holds are theirs in this way only where nobody buys or sells them any more, as when the venue has turned a coin into
another one: then the hedge holds so much less, and ends with what is left of it. What the venue says is owed beyond
what a hedge owes, as for interest that was never told, the hedge owes as well: else it would stay owed after its end.
"""

from decimal import Decimal

from bot.domain.actions import Reconcile
from bot.domain.borrowing import note_owed
from bot.domain.events import AcceptDifference, CapitalMoved
from bot.domain.numbers import ZERO, text
from bot.engine import holdings, trust
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
    place = event.venue, event.wallet, event.asset
    held, lacking = holdings.held_base(state, *place), _lacking_base(state, event)
    if (
        lacking
        and held > 0
        and any(state.market.instruments[leg.instrument].trades for _, leg in holdings.holding(state, *place))
    ):
        return (
            f"hedges hold {text(held)} {event.asset}, and {text(held - lacking)} would be left: "
            "buy the rest back at the venue"
        )
    return None


def _lacking_base(state: EngineState, event: AcceptDifference) -> Decimal:
    """What hedges hold beyond what would be left of it in the wallet, or what would be owed beyond what they owe."""
    held = holdings.held_base(state, event.venue, event.wallet, event.asset)
    if event.amount >= 0 or not held:
        return ZERO
    lacking = max(ZERO, holdings.lacking_base(state, event.venue, event.wallet, event.asset) - event.amount)
    return lacking if held > 0 else min(lacking, -event.amount)


def booked_since(state: EngineState, event: AcceptDifference, count: int) -> bool:
    """Whether a difference was accepted since the ledger had so many transactions."""
    ids = (postings.accepted_id(number) for number in range(count + 1, state.ledger.count + 1))
    return any(state.ledger.knows(postings.capital_id(event.venue, one)) for one in ids)


def accept(state: EngineState, event: AcceptDifference, out: Actions) -> None:
    """Book a standing difference as the owner's capital; once, and only the amount that is there."""
    venue, wallet, asset, amount = event.venue, event.wallet, event.asset, event.amount
    why_not = refusal(state, event)
    if why_not is not None:
        out.warning("ledger.not_accepted", venue=venue, wallet=wallet, asset=asset, amount=amount, reason=why_not)
        return
    venue_id = postings.accepted_id(state.ledger.count + 1)
    moved = CapitalMoved(venue, wallet, asset, amount, venue_id, state.book.now.market_ms)
    lacking = _lacking_base(state, event)
    if book_capital(state, postings.capital_id(venue, venue_id), moved, out):
        _give_up(state, event, lacking, out)
        del state.differences[venue, wallet, asset]
        out.warning("ledger.accepted", venue=venue, wallet=wallet, asset=asset, amount=amount, reason=event.reason)
        trust.compared(state, venue, out)
        out.append(Reconcile(venue, "a difference was accepted"))


def _give_up(state: EngineState, event: AcceptDifference, lacking: Decimal, out: Actions) -> None:
    """Hedges hold the coins no more, and end; or the one that owes them owes so many more, and is made whole."""
    for hedge, leg in holdings.holding(state, event.venue, event.wallet, event.asset):
        if leg.quantity_base < 0 < lacking:
            holdings.take(state, hedge, leg, lacking, event.reason, out)
            note_owed(state.market, leg)
            return
        quantity = min(lacking, max(ZERO, leg.quantity_base))
        if not quantity:
            continue
        lacking -= quantity
        hedge.target_base = ZERO
        holdings.give_up(state, hedge, leg, quantity, event.reason, out)
