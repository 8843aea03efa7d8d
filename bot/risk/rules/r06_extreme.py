"""R6: a core coin moves too far within minutes, or a venue stops answering or its feed falls silent.

Moves run on market time, by the index price of the core coins' perpetuals; outages on monotonic wall time. While
the event runs nothing is opened and all but the core coins are cut to a share. Both legs are cut together: a hedge
with a leg at a silent venue is left alone (half a cut hedge is a naked position), unless the liquidation distance at
a venue that does answer is below R7's minimum. What was silent is not cut when it comes back, unless prices run.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.hedges import Hedge, Leg
from bot.domain.instruments import Instrument, Kind
from bot.domain.market import Mark
from bot.domain.numbers import ZERO
from bot.domain.time import DAY_MS
from bot.domain.windows import PriceWindow
from bot.risk.rules import r07_liquidation
from bot.risk.verdicts import Forced, judge

RULE = "R6"
NO_ANSWER = "no answer"
STORM_MS = DAY_MS
"""Events that follow each other within this are one storm: each hedge is cut to a share once, not at every gust."""


def observe(book: Book, mark: Mark) -> None:
    """A core coin's index into its window; notes when the move is beyond the limit."""
    instrument = book.market.instruments.get(mark.instrument)
    if instrument is None or instrument.coin not in book.config.universe.core or mark.index <= 0:
        return
    limits, extreme, now_ms = book.config.limits.extreme, book.guards.extreme, book.now.market_ms
    window = extreme.windows.get(mark.instrument)
    if window is None:
        window = extreme.windows[mark.instrument] = PriceWindow()
    price = float(mark.index)
    window.add(price, now_ms, int(limits.window_s * 1000))
    move = window.move(price)
    if move >= limits.move:
        extreme.moved_ms = now_ms
        if not extreme.active:
            extreme.reason = f"{instrument.coin} moved {move:.1%} within {limits.window_s:g} s"


def silent_venues(book: Book) -> dict[str, str]:
    """Venues that are out now, each with what is silent of it."""
    extreme, now = book.guards.extreme, book.now.mono_ms
    limit_ms = book.config.limits.extreme.outage_s * 1000
    if extreme.watched_mono_ms is None:
        extreme.watched_mono_ms = now
    found = {venue: NO_ANSWER for venue, asked in extreme.asked_mono_ms.items() if now - asked > limit_ms}
    for feed in dict.fromkeys(chain(book.market.feed_alive_ms, book.market.feed_out_ms, _held_feeds(book))):
        if _feed_silent(book, feed, extreme.watched_mono_ms):
            found.setdefault(feed.split(":")[0], f"feed {feed} is silent")
    return found


def _feed_silent(book: Book, feed: str, watched_mono_ms: int) -> bool:
    since = book.market.feed_alive_ms.get(feed, book.market.feed_out_ms.get(feed))
    limit_ms = book.config.limits.extreme.outage_s * 1000
    return book.now.mono_ms - (watched_mono_ms if since is None else since) > limit_ms


def _held_feeds(book: Book) -> Iterator[str]:
    """Feeds of what we hold: one that never spoke is silent too."""
    known = book.market.instruments
    for hedge in book.live_hedges():
        for leg in hedge.legs:
            if leg.instrument in known:
                yield known[leg.instrument].feed


def runs(book: Book) -> bool:
    """Whether a move or an outage is going on at this moment."""
    extreme, limits = book.guards.extreme, book.config.limits.extreme
    moving = extreme.moved_ms is not None and book.now.market_ms - extreme.moved_ms < limits.calm_s * 1000
    ailing = extreme.silent_mono_ms is not None and book.now.mono_ms - extreme.silent_mono_ms < limits.calm_s * 1000
    return moving or ailing or bool(extreme.silent)


def moving(book: Book) -> bool:
    extreme = book.guards.extreme
    calm_ms = book.config.limits.extreme.calm_s * 1000
    return extreme.moved_ms is not None and book.now.market_ms - extreme.moved_ms < calm_ms


def allows(book: Book) -> bool:
    return not book.guards.extreme.active


def check(book: Book) -> Verdict:
    extreme = book.guards.extreme
    observed = extreme.reason if extreme.active else "calm"
    return judge(RULE, ok=allows(book), limit="no extreme event", observed=observed)


def forced(book: Book, hedge: Hedge) -> Forced | None:
    """Cut a hedge of a coin that is not core; the cut is fixed when it is first asked for."""
    extreme = book.guards.extreme
    if not extreme.active or hedge.coin in book.config.universe.core:
        return None
    if hedge.id not in extreme.cut:
        if not _may_cut(book, hedge):
            return None
        held = min(hedge.target_base, hedge.size_base)
        extreme.cut[hedge.id] = max(held * book.config.limits.extreme.keep, min(held, _left(book, hedge)))
    left = extreme.cut[hedge.id]
    if hedge.target_base <= left or not _reachable(book, hedge):
        return None
    limit = f"{book.config.limits.extreme.keep} of {hedge.coin}"
    return Forced(RULE, hedge.id, left, limit, extreme.reason, f"{RULE}: {extreme.reason}")


def keep_in_mind(book: Book) -> None:
    """The event is over: what it left of each hedge is what the same storm may not cut into again."""
    extreme, now_ms = book.guards.extreme, book.now.market_ms
    extreme.left = {
        hedge_id: one
        for hedge_id, one in extreme.left.items()
        if hedge_id in book.hedges and now_ms - one[1] < STORM_MS and hedge_id not in extreme.cut
    } | {hedge_id: (left, now_ms) for hedge_id, left in extreme.cut.items() if hedge_id in book.hedges}


def _left(book: Book, hedge: Hedge) -> Decimal:
    """What an earlier event of the same storm left of it: half of a half is not what the rule asks for."""
    left, ended_ms = book.guards.extreme.left.get(hedge.id, (ZERO, 0))
    return left if book.now.market_ms - ended_ms < STORM_MS else ZERO


def _may_cut(book: Book, hedge: Hedge) -> bool:
    """A venue that was silent when the event began is not cut for that alone once it is back."""
    elsewhere_silent = any(venue != hedge.venue for venue in book.guards.extreme.silent)
    return _reachable(book, hedge) and (moving(book) or elsewhere_silent)


def _reachable(book: Book, hedge: Hedge) -> bool:
    """Whether both legs can be cut, or one alone must be because liquidation is near where it is."""
    silent = book.guards.extreme.silent
    instruments = [book.market.instruments.get(leg.instrument) for leg in hedge.legs]
    venues = {one.venue for one in instruments if one is not None}
    if not venues & silent.keys():
        return True
    minimum = book.config.limits.liquidation.min
    return any(r07_liquidation.distance(book, venue) < minimum for venue in venues - silent.keys())


def both_legs_answer(book: Book, hedge: Hedge) -> Verdict:
    """Whether a hedge can be made smaller on both legs; refused while a leg's feed or venue is silent, or nobody is
    there to trade with.

    A spot that stands still while its perpetual trades would leave half a cut hedge, which is a naked position. Where
    liquidation is nearer than R7's minimum at a perpetual that does answer, that leg goes alone.
    """
    silent, answers = [], []
    for leg in hedge.legs:
        instrument = book.market.instruments.get(leg.instrument)
        if instrument is None:
            continue
        why = _no_answer(book, leg, instrument)
        if why is None:
            answers.append(instrument)
        else:
            silent.append(why)
    minimum = book.config.limits.liquidation.min
    ok = not silent or any(
        one.kind is Kind.PERP and r07_liquidation.distance(book, one.venue) < minimum for one in answers
    )
    detail = "half of a cut hedge is a naked position"
    return judge(RULE, ok=ok, limit="both legs", observed=", ".join(silent) or "all", detail=detail)


def _no_answer(book: Book, leg: Leg, instrument: Instrument) -> str | None:
    """What keeps a leg from being made smaller now; None when nothing does."""
    silent, feed = book.guards.extreme.silent, instrument.feed
    out = silent.get(instrument.venue) == NO_ANSWER
    if out or (instrument.venue in silent and _feed_silent(book, feed, book.guards.extreme.watched_mono_ms or 0)):
        return feed
    told = book.market.one_sided.get(instrument.id)
    if told is None or not leg.quantity_base or (told.bid if leg.quantity_base > 0 else told.ask):
        return None
    return f"no {'bids' if leg.quantity_base > 0 else 'asks'} for {instrument.id}"


def favourable(book: Book, hedge: Hedge) -> Decimal:
    """Basis of the hedge's pair, perp over spot less one, as its direction sees it: the widest is refilled first."""
    pair = book.pair_of(hedge)
    mark = book.market.marks.get(pair.perp.id) if pair is not None else None
    if mark is None or mark.index <= 0:
        return Decimal("-Infinity")
    return hedge.structure.facing(mark.mark / mark.index - 1)
