"""Loans as they go on: their terms, the interest that the venue charges, and the day it wants them back (R9)."""

from decimal import Decimal

from bot.domain.actions import Severity
from bot.domain.books import Books
from bot.domain.borrowing import note_owed, rate_per_year
from bot.domain.events import InterestCharged, LoanRecalled
from bot.domain.guards import Guards, Remembered
from bot.domain.hedges import Hedge, Interest
from bot.domain.instruments import Wallet
from bot.domain.market import BorrowTerms
from bot.domain.numbers import ONE, ZERO
from bot.domain.structures import COIN
from bot.domain.time import HOUR_MS
from bot.domain.valuation import margin_wallet, mark_price
from bot.engine import comparing, trust
from bot.engine.money import move_leg, take_up_again
from bot.engine.state import Actions, EngineState
from bot.ledger import postings
from bot.risk.rules import r09_borrow

CRUMB = Decimal("1.1")
"""Of the venue's least order: what is worth no more than that is left, so that nothing is taken up in vain."""
REPEAT_MS = HOUR_MS
"""A recall that is told again within this market time says nothing new."""


def terms(state: EngineState, event: BorrowTerms, out: Actions) -> None:
    """Take terms in; the owner hears of a rate beyond the alarm while something is owed, once until it is over."""
    key = event.venue, event.asset
    known, high = state.market.borrow.get(key), state.book.guards.rates_high
    state.market.borrow[key], state.market.borrow_seen_ms[key] = event, state.book.now.mono_ms
    state.decide_due |= known is None
    hedge = _hedge_of(state, *key)
    alarming = r09_borrow.alarming(state.book, event)
    if hedge is not None and alarming and key not in high:
        high.add(key)
        out.critical(
            "borrow.rate_high",
            rule=r09_borrow.RULE,
            coin=hedge.coin,
            hedge=hedge.id,
            limit=state.config.reverse_carry.rate_alarm,
            observed=round(rate_per_year(event), 4),
            done="closing the hedge as soon as the loan costs more than the funding brings",
            remedy="look at what the venue asks for this asset; `carrybot close COIN` ends the hedge now",
        )
    elif key in high and (hedge is None or not alarming):
        high.discard(key)
        out.info("borrow.rate_normal", rule=r09_borrow.RULE, asset=event.asset, venue=event.venue)


def watch(state: EngineState, out: Actions) -> None:
    """Once a tick: is the margin wallet alive, and are the terms of what is owed still heard?"""
    if not state.market.reverse:
        return
    lost = state.book.guards.terms_lost
    owed = {(one.venue, one.coin): one for one in state.book.live_hedges() if one.structure.owes and one.size_base}
    for key in lost - owed.keys():
        lost.discard(key)
    for venue in sorted({venue for venue, _ in owed}):
        wallet = margin_wallet(state.book, venue)
        if wallet.distance <= 0:
            trust.fear(state, venue, wallet.level, out)
    for key, hedge in owed.items():
        age_s = r09_borrow.terms_age_s(state.book, key)
        limit_s = state.config.reverse_carry.terms_stale_s
        if age_s is not None and age_s <= limit_s:
            lost.discard(key)
        elif key not in lost:
            lost.add(key)
            out.warning(
                "borrow.terms_lost",
                rule=r09_borrow.RULE,
                coin=hedge.coin,
                hedge=hedge.id,
                limit=limit_s,
                observed=age_s,
                done="the hedge is kept; its rate alarm waits for the venue's answer",
                remedy="look at what the venue asks for this asset; `carrybot close COIN` ends the hedge",
            )


def recalled(state: EngineState, event: LoanRecalled, out: Actions) -> None:
    """What was borrowed is bought back and its perpetual closed together: rule R9 asks for it at the next tick.

    A venue that tells it again and again keeps R9's pause going; the owner hears of it hourly while a hedge owes.
    """
    key, now_ms = (event.venue, event.asset), state.book.now.market_ms
    known = r09_borrow.recalled(state.book, *key)
    if known and now_ms - state.book.guards.recalls[key] < REPEAT_MS:
        return
    state.book.guards.recalls[key] = now_ms
    subject = f"{event.venue}:{event.asset}"
    out.persist(Remembered(r09_borrow.RULE, subject, "recalled", ONE, now_ms))
    hedge = _hedge_of(state, *key)
    if known and hedge is None:
        return
    out.critical(
        "loan.recalled",
        rule=r09_borrow.RULE,
        coin=hedge.coin if hedge is not None else event.asset,
        hedge=hedge.id if hedge is not None else None,
        due_ms=event.due_ms,
        reason=event.reason,
        done="buying the coin back, repaying it and closing the perpetual together" if hedge else "nothing is owed",
        remedy="none, unless the hedge is still open at the venue's deadline: then it buys back at its own price",
    )


def charged(state: EngineState, event: InterestCharged, out: Actions) -> None:
    """Post interest once. In the coin it makes the short coin leg longer, at the price of now; it is a cost."""
    interest = event.interest
    transaction_id, key = postings.interest_id(interest), (interest.venue, interest.asset)
    state.market.interest_ms[key] = max(interest.charged_ms, state.market.interest_ms.get(key, 0))
    if in_opening(state, interest) or state.ledger.knows(transaction_id):
        return
    hedge = _debtor(state, interest)
    owner = hedge.id if hedge is not None else postings.FOREIGN
    entries = postings.interest_entries(interest, owner)
    transaction = state.ledger.post(transaction_id, interest.charged_ms, "interest", owner, entries)
    assert transaction is not None
    out.persist(transaction)
    if hedge is not None:
        leg = hedge.legs[COIN]
        listed = leg.instrument in state.market.instruments
        price = (mark_price(state.book, leg.instrument) if listed else None) or leg.entry_price or ZERO
        hedge.borrow_usd += interest.amount * price
        move_leg(leg, -interest.amount, price)
        if listed:
            note_owed(state.market, leg, anew=True)
        if leg.quantity_base < 0:
            _take_up_what_is_left(state, hedge)
        out.persist(hedge)
    out.emit(
        Severity.DEBUG,
        "borrow.charged",
        {"asset": interest.asset, "hedge": owner, "amount": interest.amount, "charged_ms": interest.charged_ms},
    )


def in_opening(state: EngineState, interest: Interest) -> bool:
    """Whether this is in the margin wallet's opening balance: not the first one of a loan that was made since."""
    if not comparing.before_opening(state, interest.venue, Wallet.MARGIN.value, interest.charged_ms):
        return False
    hedge = _debtor(state, interest) if interest.at_borrowing else None
    opening_ms = state.openings[postings.opening_id(interest.venue, Wallet.MARGIN.value)]
    return hedge is None or hedge.opened_ms <= opening_ms


def compared(state: EngineState, venue: str, out: Actions) -> None:
    """Balances were looked at: coins that were bought for interest which did not come are sold."""
    for hedge in state.remembered_hedges():
        owed = hedge.venue == venue and hedge.structure.owes and hedge.legs[COIN].quantity_base > 0
        if owed and (venue, hedge.coin) not in state.market.repaid_ms and _take_up_what_is_left(state, hedge):
            out.persist(hedge)


def _take_up_what_is_left(state: EngineState, hedge: Hedge) -> bool:
    """A closed hedge that owes, or has too much, more than a crumb: a rate for an hour that was not known before."""
    leg, pair = hedge.legs[COIN], state.book.pair_of(hedge)
    if hedge.live or pair is None or leg.instrument not in state.market.instruments:
        return False
    price, left = mark_price(state.book, leg.instrument), abs(leg.quantity_base)
    if price is None or left < pair.spot.quantity_min or left * price < pair.spot.notional_min * CRUMB:
        return False
    take_up_again(state, hedge)
    return True


def _hedge_of(state: EngineState, venue: str, asset: str) -> Hedge | None:
    """The live hedge that owes an asset."""
    hedge = state.book.hedge_of(venue, asset)
    return hedge if hedge is not None and hedge.structure.owes else None


def _debtor(state: EngineState, interest: Interest) -> Hedge | None:
    """The hedge that owed the asset when the interest was charged, closed ones too, and what is lent no more."""
    for hedge in state.remembered_hedges():
        if hedge.venue != interest.venue or hedge.coin != interest.asset or not hedge.structure.owes:
            continue
        began_ms = hedge.opened_ms  # its first fill, before which the loan is made
        if interest.at_borrowing:
            began_ms -= began_ms % HOUR_MS
        elif not hedge.live and not hedge.traded:
            continue  # it never owed for an hour
        if began_ms <= interest.charged_ms:
            return hedge
    return None


def restore(books: Books, guards: Guards) -> None:
    """Recalls that the books remember."""
    for one in books.remembered:
        if one.rule == r09_borrow.RULE and one.name == "recalled":
            venue, _, asset = one.subject.partition(":")
            guards.recalls[venue, asset] = one.market_ms
