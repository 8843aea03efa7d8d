"""Funding as it settles: public rates into history and rule R1, receipts that are due, and what is asked for."""

from bot.domain.actions import FetchRates, FetchReceipts
from bot.domain.instruments import Kind
from bot.domain.market import Mark, SettledRate
from bot.domain.time import DAY_MS, HOUR_MS
from bot.engine.money import paid_for
from bot.engine.state import Actions, EngineState
from bot.risk.rules import r01_negative_funding

RECEIPT_OVERLAP_MS = DAY_MS
"""Receipts are asked for this far back: one venue once paid two hours late."""
GRACE_MARKET_MS = 15 * 60_000
GRACE_WALL_MS = 5_000


def mark_seen(state: EngineState, mark: Mark) -> None:
    """Take a mark in; when its next funding time has moved on, a settlement has passed."""
    market = state.market
    before = market.marks.get(mark.instrument)
    market.marks[mark.instrument] = mark
    market.mark_seen_ms[mark.instrument] = state.book.now.mono_ms
    if before is None or not before.next_funding_ms or mark.next_funding_ms <= before.next_funding_ms:
        return
    passed_ms = before.next_funding_ms
    state.rates_due_ms[mark.instrument] = passed_ms
    hedge = state.last_hedge.get(mark.instrument)
    if hedge is None or not hedge.live or hedge.opened_ms >= passed_ms:
        return
    if state.receipt_seen_ms.get(mark.instrument, 0) >= passed_ms:
        return
    if any(leg.kind is Kind.PERP and leg.quantity_base for leg in hedge.legs):
        state.receipts_due_ms[mark.instrument] = passed_ms, state.book.now.mono_ms


def rate_settled(state: EngineState, rate: SettledRate, out: Actions) -> None:
    """A public settlement: history, R1's days, and a reason to decide anew."""
    due = state.rates_due_ms.get(rate.instrument)
    if due is not None and rate.settled_ms >= due:
        del state.rates_due_ms[rate.instrument]
    if rate.rate == 0:
        paid_for(state, rate.instrument, rate.settled_ms)
    if not state.market.add_rate(rate):
        return
    out.persist(rate)
    state.decide_due = True
    instrument = state.market.instruments.get(rate.instrument)
    if instrument is None or (instrument.venue, instrument.coin) not in state.market.pairs:
        return
    removal = r01_negative_funding.removal_of(state.book, instrument.venue, instrument.coin)
    if rate.settled_ms <= removal.counted_until_ms:
        return
    changed = r01_negative_funding.count(removal, rate, state.config.limits)
    out.persist(removal)
    if changed == "removed":
        out.warning(
            "coin.removed",
            coin=removal.coin,
            venue=removal.venue,
            rule=r01_negative_funding.RULE,
            limit=state.config.limits.negative_funding_days,
            observed=removal.negative_days,
            at_ms=rate.settled_ms,
        )
    elif changed == "readmitted":
        rule = r01_negative_funding.READMISSION
        out.info("coin.readmitted", coin=removal.coin, venue=removal.venue, rule=rule, observed=removal.positive_days)


def ask_for_due(state: EngineState, venue: str, out: Actions) -> None:
    """Ask for rates and receipts whose time has passed; the shell spaces the requests."""
    rates = [at for name, at in state.rates_due_ms.items() if state.market.instruments[name].venue == venue]
    if rates:
        out.append(FetchRates(venue, min(rates) - HOUR_MS))
    now = state.book.now
    due = [(n, v) for n, v in state.receipts_due_ms.items() if state.market.instruments[n].venue == venue]
    if not due:
        return
    until = state.receipts_until_ms.get(venue, now.market_ms)
    out.append(FetchReceipts(venue, min(until, *(at for _, (at, _) in due)) - RECEIPT_OVERLAP_MS))
    for name, (at_ms, noticed_mono_ms) in due:
        if now.market_ms - at_ms > GRACE_MARKET_MS and now.mono_ms - noticed_mono_ms > GRACE_WALL_MS:
            del state.receipts_due_ms[name]
            out.warning(
                "funding.missing", instrument=name, settled_ms=at_ms, remedy="compare the venue's funding history"
            )
