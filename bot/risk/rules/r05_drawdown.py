"""R5: worth below its high-water mark. Soft limit: no entries, hedges reduced by a step; hard: close all and halt.

What is measured is the dollars of the accounts plus the hedges' legs, spot at the perp's index and perp at its mark:
both figures come in one frame, so that two feeds which are not quite in step do not look like a loss, and coins that
are not part of a hedge (the owner's own) are left out. Entry costs (fees and slippage of what opened) are spread over
the expected holding time, so that filling a book does not trip it; what is left of them is lost when the hedge ends.

The mark rises only with what is not an open basis gain: a perp that falls far below spot for a day lifts the worth of
its short, and the return of the basis to where it was entered is no loss. Deposits and withdrawals scale the mark.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.config import DrawdownLimits
from bot.domain.guards import Breach
from bot.domain.hedges import Hedge
from bot.domain.market import Mark
from bot.domain.numbers import ONE, ZERO
from bot.domain.orders import OrderState
from bot.domain.structures import PERP
from bot.domain.time import HOUR_MS
from bot.domain.valuation import USD_ASSETS, mark_price, price_of
from bot.risk.verdicts import Forced, judge

RULE = "R5"
RELEASE = Decimal("0.75")
"""Entries come back when the drawdown is below this share of the soft limit."""
CENTS = Decimal("0.00000001")
CONFIRM_MS = 1_000
"""A deeper level counts when it has been seen without a break for this much wall time."""


def measure(book: Book, *, old: bool = False) -> tuple[Decimal, Decimal] | None:
    """(worth, worth that may lift the mark) in USD; None while a price of what is held is missing or, unless `old`
    ones will do, old."""
    worth = gains = ZERO
    for hedge in book.live_hedges():
        mark = _mark(book, hedge, old=old)
        gain = ZERO
        for leg in hedge.legs:
            if not leg.quantity_base:
                continue
            if mark is None:
                return None
            coin = leg.kind.is_coin
            value = leg.quantity_base * (mark.index if coin else mark.mark)
            worth += value if coin else value - leg.cost_quote
            gain += value - leg.cost_quote
        gains += max(ZERO, gain)
    for key, _ in book.wallets():
        if key[1] in USD_ASSETS:
            worth += book.balances.get(key, ZERO)
    worth += deferred_usd(book)
    return worth, worth - gains


def _half_done(book: Book) -> bool:
    """Whether legs may not cancel now: in a jump one is sold at the price of now, the other valued at the last."""
    return any(hedge.order_ids or hedge.unbalanced_mono_ms is not None for hedge in book.live_hedges())


def worth_usd(book: Book) -> Decimal | None:
    """What money that comes or goes is held against; at old prices, as those in the books at a start, if need be.

    Legs cancel: what both are worth at an old price is nearer the truth than a drawdown that was measured long ago,
    or never by this process.
    """
    measured = measure(book) or measure(book, old=True)
    return None if measured is None else measured[0] + in_doubt_usd(book)


def _mark(book: Book, hedge: Hedge, *, old: bool) -> Mark | None:
    """Mark and index of a hedge's perpetual; None while they are missing or too old, or nothing is listed yet.

    Of one that trades no more, or is not listed, nothing is told: the last price stands, or the loss of all other
    hedges were unseen.
    """
    pair, perp = book.pair_of(hedge), hedge.legs[PERP].instrument
    listed = book.market.instruments.get(perp)
    if listed is None and all(one.venue != hedge.venue for one in book.market.instruments.values()):
        return None
    if listed is None or not listed.trades:
        price = (mark_price(book, pair.spot.id) if pair is not None else None) or price_of(book, hedge)
        return Mark(perp, price, price, ZERO, 0)
    mark, seen = book.market.marks.get(perp), book.market.mark_seen_ms.get(perp)
    if old:
        return mark
    return mark if seen is not None and _may_stand(book, listed.feed, seen) else None


def _may_stand(book: Book, feed: str, seen_ms: int) -> bool:
    """Whether a mark is fresh; or out for as long as R6 bears with an outage while its feed lives: a market that is
    halted, say, which may not hide the losses of all others until its listing tells of it."""
    alive_ms, now_ms, limits = book.market.feed_alive_ms.get(feed), book.now.mono_ms, book.config.limits
    if now_ms - seen_ms <= limits.stale_s * 1000:
        return True
    alive = alive_ms is not None and now_ms - alive_ms <= limits.stale_s * 1000
    return alive and now_ms - seen_ms > limits.extreme.outage_s * 1000


def in_doubt_usd(book: Book) -> Decimal:
    """What the books would be worth more, had orders of which nobody tells filled when they were decided.

    A leg that an outage keeps from being booked is no loss of the other one: closing everything for it would be one.
    An order counts as far as it closes its hedge's imbalance; one that the venue says is still there has not filled.
    """
    total = ZERO
    for hedge in book.live_hedges():
        mark = _mark(book, hedge, old=True) if hedge.order_ids else None
        if mark is None:
            continue
        for order in book.orders_of(hedge):
            sign = order.intent.side.sign
            if order.state is OrderState.LIVE or sign * hedge.imbalance_base >= 0:
                continue
            price = mark.index if hedge.legs[order.intent.leg].kind.is_coin else mark.mark
            gain = (price - order.intent.decided_price) * sign
            total += max(ZERO, gain) * min(order.open_base, abs(hedge.imbalance_base))
    return total


def certain_share(book: Book) -> Decimal:
    """The drawdown without what may be none: what is reduced for."""
    high, share = book.guards.drawdown.high_usd, book.guards.drawdown.share
    return max(ZERO, share - in_doubt_usd(book) / high) if high else share


def deferred_usd(book: Book) -> Decimal:
    """The part of the entry costs that the holding time still has to bear."""
    holding_ms, now_ms = Decimal(repr(book.config.strategy.holding_h * HOUR_MS)), book.now.market_ms
    total = ZERO
    for usd, at_ms in book.guards.drawdown.entry_costs.values():
        if now_ms - at_ms < holding_ms:
            total += usd * (ONE - (now_ms - at_ms) / holding_ms)
    return total


def add_entry_cost(book: Book, hedge_id: str, usd: Decimal, at_ms: int) -> tuple[Decimal, int]:
    """Fees and slippage of a fill that opened; returns the hedge's sum and its cost-weighted time."""
    before, then_ms = book.guards.drawdown.entry_costs.get(hedge_id, (ZERO, at_ms))
    total = before + usd
    mean_ms = int((before * then_ms + usd * at_ms) / total) if total > 0 else at_ms
    book.guards.drawdown.entry_costs[hedge_id] = total, min(max(mean_ms, min(then_ms, at_ms)), max(then_ms, at_ms))
    return book.guards.drawdown.entry_costs[hedge_id]


def keep_entry_cost(book: Book, hedge_id: str, share: Decimal) -> tuple[Decimal, int]:
    """A hedge that shrinks bears its entry costs for what is left of it; the rest is lost at once."""
    usd, at_ms = book.guards.drawdown.entry_costs[hedge_id]
    book.guards.drawdown.entry_costs[hedge_id] = (usd * share).quantize(CENTS, rounding=ROUND_HALF_EVEN), at_ms
    return book.guards.drawdown.entry_costs[hedge_id]


def update(book: Book) -> Breach | None:
    """Measure, move the mark, and return the level if it changed. Constant work for each hedge."""
    drawdown, limits = book.guards.drawdown, book.config.limits.drawdown
    found = measure(book)
    if found is None or (found[0] <= 0 and drawdown.high_usd is None):
        drawdown.deeper_mono_ms = None
        return None
    worth, lifting = found
    if drawdown.high_usd is None or (lifting > drawdown.high_usd and not _half_done(book)):
        drawdown.high_usd = max(lifting, ZERO)
    high = drawdown.high_usd
    drawdown.share = max(ZERO, ONE - worth / high) if high > 0 else ZERO
    level = drawdown.level
    if level is Breach.HARD:
        return None
    seen = _depth(drawdown.share, limits)
    if seen is Breach.NONE and level is Breach.SOFT and drawdown.share > limits.soft * RELEASE:
        seen = Breach.SOFT
    if seen <= level:
        drawdown.deeper_mono_ms, drawdown.level = None, seen
        return seen if seen is not level else None
    if drawdown.deeper_mono_ms is None:
        drawdown.deeper_mono_ms = book.now.mono_ms
    if book.now.mono_ms - drawdown.deeper_mono_ms < CONFIRM_MS:
        return None
    worth += in_doubt_usd(book)
    seen = _depth(ONE - worth / high, limits)
    if seen <= level:
        return None
    drawdown.deeper_mono_ms, drawdown.level = None, seen
    return seen


def _depth(share: Decimal, limits: DrawdownLimits) -> Breach:
    if share >= limits.hard:
        return Breach.HARD
    return Breach.SOFT if share >= limits.soft else Breach.NONE


def step_due(book: Book) -> bool:
    """Whether to reduce now: at the breach, and after each cool-down only if it has become worse since."""
    drawdown, limits = book.guards.drawdown, book.config.limits.drawdown
    if drawdown.level is not Breach.SOFT or drawdown.share < limits.soft:
        return False
    share, cooled = certain_share(book), book.now.market_ms - drawdown.stepped_ms >= limits.cooldown_s * 1000
    return share >= limits.soft and (not drawdown.stepped_ms or (cooled and share > drawdown.stepped_share))


def take_step(book: Book) -> None:
    """Fix what this reduction leaves of each hedge."""
    drawdown, limits = book.guards.drawdown, book.config.limits.drawdown
    drawdown.stepped_ms, drawdown.stepped_share = book.now.market_ms, certain_share(book)
    keep = ONE - limits.reduce_step
    drawdown.targets = {hedge.id: min(hedge.target_base, hedge.size_base) * keep for hedge in book.live_hedges()}


def accept(book: Book) -> None:
    """The owner goes on from here: the mark starts again at the next measurement."""
    drawdown = book.guards.drawdown
    drawdown.high_usd, drawdown.level, drawdown.share, drawdown.deeper_mono_ms = None, Breach.NONE, ZERO, None
    drawdown.stepped_ms, drawdown.stepped_share = 0, ZERO
    drawdown.targets.clear()


def capital_moved(book: Book, before_usd: Decimal | None, usd: Decimal) -> None:
    """A deposit or withdrawal of `usd` on top of a worth of `before_usd`: the drawdown's share stays what it was.

    None: it cannot be measured at all; then it is what it was when it was measured last.
    """
    drawdown = book.guards.drawdown
    if drawdown.high_usd is None:
        return
    before_usd = drawdown.high_usd * (ONE - drawdown.share) if before_usd is None else before_usd
    if before_usd > 0:
        drawdown.high_usd *= max(ZERO, before_usd + usd) / before_usd


def allows(book: Book) -> bool:
    """Nothing opens either while a breach is being confirmed."""
    drawdown = book.guards.drawdown
    return drawdown.level is Breach.NONE and drawdown.deeper_mono_ms is None


def check(book: Book) -> Verdict:
    drawdown = book.guards.drawdown
    limit = book.config.limits.drawdown.soft
    detail = "share of NAV below its high-water mark"
    return judge(RULE, ok=allows(book), limit=limit, observed=drawdown.share, detail=detail)


def forced(book: Book, hedge: Hedge) -> Forced | None:
    drawdown = book.guards.drawdown
    left = drawdown.targets.get(hedge.id)
    if left is None or drawdown.level is not Breach.SOFT or hedge.target_base <= left:
        return None
    observed = f"{drawdown.share:.5f}"
    reason = f"{RULE}: NAV is {observed} below its high-water mark"
    return Forced(RULE, hedge.id, left, f"{book.config.limits.drawdown.soft}", observed, reason)
