"""Funding as it settles: public rates into history and rule R1, receipts that are due, and what is asked for."""

from bot.domain.actions import FetchRates, FetchReceipts, Reconcile, VerdictGiven
from bot.domain.hedges import Removal
from bot.domain.market import Mark, SettledRate
from bot.domain.numbers import ZERO
from bot.domain.structures import STRUCTURES
from bot.domain.time import DAY_MS
from bot.engine.money import holder, paid_for, receipt_seen
from bot.engine.state import Actions, EngineState, Shown
from bot.risk.rules import r01_negative_funding, r12_receipts

RECEIPT_OVERLAP_MS = DAY_MS
"""Receipts are asked for this far back: one venue once paid two hours late."""
RECEIPTS_BACK_MS = 30 * DAY_MS
"""And no further than this, however long nothing was paid: what was booked longer ago may not be recognised."""
RATES_OVERLAP_MS = DAY_MS
"""Settled rates are asked for this far back, so that one which was published after a newer one is not missed."""
GUESS_MS = 60_000
"""For so long is asked for a settlement that may never have been."""


def mark_seen(state: EngineState, mark: Mark) -> None:
    """Take a mark in; when its next funding time has come and moved on, a settlement has passed.

    One that moves on before it has come was put off: the venue has made the interval longer.
    """
    market = state.market
    if mark.instrument not in market.instruments:
        return  # a stream may speak before its listing is known
    before = market.marks.get(mark.instrument)
    market.marks[mark.instrument] = mark
    market.mark_seen_ms[mark.instrument] = state.book.now.heard_ms
    if before is None or not before.next_funding_ms:  # the books keep prices alone
        _guess_passed(state, mark)
        return
    if mark.next_funding_ms <= before.next_funding_ms:
        return
    passed_ms = before.next_funding_ms
    if passed_ms > state.book.now.market_ms + r12_receipts.EDGE_MS:
        return
    state.rates_due_ms[mark.instrument] = passed_ms
    state.rates_guessed_mono_ms.pop(mark.instrument, None)
    _guess_passed(state, mark)
    _expect_receipt(state, mark.instrument, passed_ms)


def _guess_passed(state: EngineState, mark: Mark) -> None:
    """What settled since the start's question for rates, or while marks were silent: the next one's hour tells of it.

    It is a guess: the venue may have put that settlement off and made the interval longer.
    """
    market, name = state.market, mark.instrument
    known = market.rates.get(name)
    if not known or not mark.next_funding_ms:
        return
    latest_ms = mark.next_funding_ms - market.funding_interval_s(market.instruments[name]) * 1_000
    told_ms = max(known[-1].settled_ms, state.rates_due_ms.get(name, 0))
    if told_ms < latest_ms <= state.book.now.market_ms + r12_receipts.EDGE_MS:
        state.rates_due_ms[name] = latest_ms
        state.rates_guessed_mono_ms[name] = None


def _expect_receipt(state: EngineState, instrument: str, settled_ms: int) -> None:
    """A settlement over which the perpetual was held is paid for, unless its receipt is here already."""
    if receipt_seen(state, instrument, settled_ms) or (instrument, settled_ms) in state.receipts_due_ms:
        return
    after, before = settled_ms + r12_receipts.EDGE_MS, settled_ms - r12_receipts.EDGE_MS
    since = state.held_since_ms.get(instrument)
    stint = state.held_before_ms.get(instrument)
    held = since is not None and since < before
    if held or (stint is not None and stint[0] < before and stint[1] > after):
        state.receipts_due_ms[instrument, settled_ms] = state.book.now.mono_ms


def rate_settled(state: EngineState, rate: SettledRate, out: Actions) -> None:
    """A public settlement: history, R1's days, and a reason to decide anew."""
    due = state.rates_due_ms.get(rate.instrument)
    if due is not None and rate.settled_ms >= due:
        _rate_told(state, rate.instrument)
    added = state.market.add_rate(rate)
    if not added:
        return
    state.book.guards.received.pop(rate.instrument, None)
    if _pays_nothing(state, rate):
        paid_for(state, rate.instrument, rate.settled_ms)
    elif rate.settled_ms <= state.book.now.market_ms:
        # Also what settled while the daemon was down, of which no mark tells.
        _expect_receipt(state, rate.instrument, rate.settled_ms)
    for one in added:
        out.persist(one)
    state.decide_due = True
    instrument = state.market.instruments.get(rate.instrument)
    if instrument is None:
        return
    for direction in STRUCTURES:
        if state.market.pair(instrument.venue, instrument.coin, direction) is not None:
            removal = r01_negative_funding.removal_of(state.book, instrument.venue, instrument.coin, direction)
            _count_day(state, removal, rate, out)


def _count_day(state: EngineState, removal: Removal, rate: SettledRate, out: Actions) -> None:
    """R1 and R1b for one direction. That a long perpetual is removed is the usual state and no news."""
    if not r01_negative_funding.counts(removal, rate):
        return
    late = rate.settled_ms < removal.counted_until_ms
    changed = r01_negative_funding.count(removal, rate, state.config.limits)
    out.persist(removal)
    if changed is None or removal.direction != r01_negative_funding.SHORT_PERP:
        return
    said: dict[str, Shown] = {"coin": removal.coin, "venue": removal.venue}
    if late:
        said["late_ms"] = rate.settled_ms
    if changed == "removed":
        limit, days = state.config.limits.negative_funding_days, removal.negative_days
        rule = r01_negative_funding.RULE
        out.warning("coin.removed", **said, rule=rule, limit=limit, observed=days, at_ms=removal.removed_ms)
    else:
        rule = r01_negative_funding.READMISSION
        out.info("coin.readmitted", **said, rule=rule, observed=removal.positive_days)


def _pays_nothing(state: EngineState, rate: SettledRate) -> bool:
    """Whether the rate on what is held rounds to nothing; what is no longer held may have been more."""
    if rate.rate == 0:
        return True
    hedge, mark = state.last_hedge.get(rate.instrument), state.market.marks.get(rate.instrument)
    if hedge is None or mark is None:
        return False
    held = sum((leg.quantity_base for leg in hedge.legs if leg.instrument == rate.instrument), ZERO)
    return bool(held) and r12_receipts.owes_nothing(held, mark.mark, rate.rate)


def ask_for_due(state: EngineState, venue: str, out: Actions) -> None:
    """Ask for rates and receipts whose time has passed; the shell spaces the requests."""
    _give_up_guesses(state, venue)
    rates = [
        min(at_ms - RATES_OVERLAP_MS, _known_until_ms(state, name, at_ms))
        for name, at_ms in state.rates_due_ms.items()
        if state.market.instruments[name].venue == venue
    ]
    if rates:
        out.append(FetchRates(venue, min(rates)))
    now = state.book.now
    due = [key for key in state.receipts_due_ms if state.market.instruments[key[0]].venue == venue]
    if not due:
        return
    until = state.receipts_until_ms.get(venue, now.market_ms)
    since_ms = max(min(until, *(at_ms for _, at_ms in due)), now.market_ms - RECEIPTS_BACK_MS)
    out.append(FetchReceipts(venue, since_ms - RECEIPT_OVERLAP_MS))
    late = [key for key in due if r12_receipts.overdue(state.book, key[1], state.receipts_due_ms[key])]
    for name, at_ms in late:
        del state.receipts_due_ms[name, at_ms]
        _missing(state, name, at_ms, out)
    if late:
        out.append(Reconcile(venue, f"{r12_receipts.RULE}: a receipt is missing"))


def _give_up_guesses(state: EngineState, venue: str) -> None:
    mono_ms = state.book.now.mono_ms
    for name, asked_ms in list(state.rates_guessed_mono_ms.items()):
        if state.market.instruments[name].venue != venue:
            continue
        if asked_ms is None:
            state.rates_guessed_mono_ms[name] = mono_ms
        elif mono_ms - asked_ms > GUESS_MS:
            _rate_told(state, name)


def _rate_told(state: EngineState, name: str) -> None:
    del state.rates_due_ms[name]
    state.rates_guessed_mono_ms.pop(name, None)


def _known_until_ms(state: EngineState, name: str, otherwise_ms: int) -> int:
    """The newest settlement that is known: after days without an answer the due one is not the only one missing."""
    known = state.market.rates.get(name)
    return known[-1].settled_ms if known else otherwise_ms


def _missing(state: EngineState, name: str, at_ms: int, out: Actions) -> None:
    verdict = r12_receipts.verdict(state.book, name, at_ms)
    hedge, instrument = holder(state, name, at_ms), state.market.instruments[name]
    owner = hedge.id if hedge is not None else None
    out.persist(VerdictGiven(state.book.now.market_ms, owner, instrument.coin, verdict))
    out.warning(
        "funding.missing",
        rule=verdict.rule,
        limit=verdict.limit,
        observed=verdict.observed,
        coin=instrument.coin,
        hedge=owner,
        instrument=name,
        settled_ms=at_ms,
        done="reconciling with the venue; the receipt is booked when it comes",
        remedy="compare the venue's funding history with `carrybot receipts`",
    )
