"""R9: what is sold on loan must be there to borrow, at a rate that leaves a carry; a recall or a rate spike ends it.

Speaks of pairs with a borrowed coin alone. Entries: terms known and fresh, not recalled of late, rate below the
limit, something left to borrow, and the running funding rate above interest and fees, per interval. Held: a recall
closes at once, both legs together; a rate beyond the alarm is told, and closes when the loan costs more than the
funding brings.
"""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.borrowing import interval_edge, lendable_base, rate_per_year, terms_of
from bot.domain.hedges import Hedge
from bot.domain.instruments import Pair
from bot.domain.market import BorrowTerms
from bot.domain.numbers import ZERO
from bot.domain.structures import REVERSE_CARRY
from bot.domain.time import HOUR_MS
from bot.risk.verdicts import Forced, judge

RULE = "R9"
RELEASE = 0.75
"""A rate is no longer alarming below this share of the alarm."""


def check(book: Book, pair: Pair) -> list[Verdict]:
    """One verdict for a pair whose coin is borrowed, none for others."""
    return [_entry(book, pair)] if pair.structure.owes else []


def _entry(book: Book, pair: Pair) -> Verdict:
    limits = book.config.reverse_carry
    if REVERSE_CARRY.name not in book.config.strategies:
        return _refused("strategies", f"no {REVERSE_CARRY.name}", "strategies in use")
    key = pair.venue, pair.spot.base_asset
    if recalled(book, *key):
        hours = (book.now.market_ms - book.guards.recalls[key]) / HOUR_MS
        return _refused(limits.recall_pause_h, hours, "hours since the loan was recalled")
    terms, age_s = terms_of(book.market, pair), terms_age_s(book, key)
    if terms is None or age_s is None:
        return _refused(limits.terms_stale_s, "never", f"no terms for borrowing {pair.coin}")
    if age_s > limits.terms_stale_s:
        return _refused(limits.terms_stale_s, age_s, "seconds since the terms of the loan were heard")
    yearly = rate_per_year(terms)
    if yearly > limits.rate_max:
        return _refused(limits.rate_max, yearly, f"interest a year on {pair.coin}")
    if lendable_base(book, terms) < pair.spot.quantity_min or not terms.available_base:
        return _refused(pair.spot.quantity_min, lendable_base(book, terms), f"{pair.coin} that may be borrowed")
    return _pays(book, pair, terms)


def _pays(book: Book, pair: Pair, terms: BorrowTerms) -> Verdict:
    edge = interval_edge(book.market, pair, terms, received_per_h(book, pair), book.config.reverse_carry)
    detail = f"funding an interval, against borrowing at {edge.borrow:.4%} and fees of {edge.fees:.4%}"
    return judge(RULE, ok=edge.pays, limit=edge.borrow + edge.fees, observed=edge.funding, detail=detail)


def _refused(limit: object, observed: object, detail: str) -> Verdict:
    return judge(RULE, ok=False, limit=limit, observed=observed, detail=detail)


def received_per_h(book: Book, pair: Pair) -> float:
    """What the rate predicted for the running interval brings an hour; without one the latest settled."""
    mark, settled = book.market.marks.get(pair.perp.id), book.market.rates.get(pair.perp.id)
    rate = mark.predicted_rate if mark is not None and mark.next_funding_ms else settled[-1].rate if settled else ZERO
    return float(pair.structure.facing(rate)) / (book.market.funding_interval_s(pair.perp) / 3600)


def terms_age_s(book: Book, key: tuple[str, str]) -> float | None:
    """Wall seconds since the terms of (venue, asset) were heard; None if they never were."""
    seen = book.market.borrow_seen_ms.get(key)
    return None if seen is None else (book.now.mono_ms - seen) / 1000


def recalled(book: Book, venue: str, asset: str) -> bool:
    """Whether a loan was recalled so lately that nothing is borrowed there yet."""
    at_ms = book.guards.recalls.get((venue, asset))
    pause_ms = book.config.reverse_carry.recall_pause_h * HOUR_MS
    return at_ms is not None and book.now.market_ms - at_ms < pause_ms


def alarming(book: Book, terms: BorrowTerms) -> bool:
    """Whether the rate is beyond the alarm; once it is, until it has come well below."""
    alarm = book.config.reverse_carry.rate_alarm
    known = (terms.venue, terms.asset) in book.guards.rates_high
    return rate_per_year(terms) > alarm * (RELEASE if known else 1.0)


def forced(book: Book, hedge: Hedge) -> Forced | None:
    pair = book.pair_of(hedge) if hedge.structure.owes else None
    if pair is None:
        return None
    limits = book.config.reverse_carry
    if recalled(book, hedge.venue, pair.spot.base_asset):
        return _close(hedge, "no recall", "recalled", f"the loan of {hedge.coin} was recalled")
    terms = terms_of(book.market, pair)
    if terms is None or (hedge.venue, terms.asset) not in book.guards.rates_high:
        return None
    edge = interval_edge(book.market, pair, terms, received_per_h(book, pair), limits)
    if edge.funding > edge.borrow:
        return None
    observed = f"{rate_per_year(terms):.4f}"
    return _close(hedge, f"{limits.rate_alarm:g}", observed, f"borrowing {hedge.coin} costs more than it brings")


def _close(hedge: Hedge, limit: str, observed: str, why: str) -> Forced:
    return Forced(RULE, hedge.id, Decimal(0), limit, observed, f"{RULE}: {why}")
