"""R4: the basis (perp's mark over its index) widens against a hedge: reduce by steps; add at the turn.

A long perpetual is hurt where a short one gains: its basis is taken with the sign turned.

Runs on market time. First threshold: the z-score of the basis over the trailing window, and the loss of the hedge's
basis P&L since its best as a share of NAV, both: the one says that it is unusual, the other that it matters. While
the window is too young for a z-score, twice that loss is needed and enough. What R4 has reduced is not filled up
again by the strategy until the spread has come back; R4 itself adds by a step when the basis, having gone beyond the
second threshold, has come off its extreme.
"""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.guards import Spread
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.limits import coin_cap_usd
from bot.domain.market import Mark
from bot.domain.numbers import ONE, ZERO
from bot.domain.structures import REVERSE_CARRY
from bot.domain.valuation import price_of, worst_usd
from bot.risk.verdicts import Forced, judge

RULE = "R4"
SAMPLES_MIN = 24
"""Hours of basis without which there is no z-score."""
DEVIATION_MIN = 0.0001
"""One basis point: in a calm market less than that is no scale."""
RELEASE = 0.5
"""Share of the first threshold below which a spread has come back."""
CAP_SHARE = Decimal("0.98")
"""An addition aims at no more than this share of the coin's cap."""


def observe(book: Book, mark: Mark) -> list[Spread]:
    """Take a basis in; returns the spreads that have just come back after a reduction. Constant work."""
    instrument = book.market.instruments.get(mark.instrument)
    if instrument is None or mark.index <= 0 or (instrument.venue, instrument.coin) not in book.market.pairs:
        return []
    basis = float(mark.mark / mark.index) - 1
    key = instrument.venue, instrument.coin
    back = [_take(book, book.guards.spread_of(*key), basis)]
    if key in book.market.reverse:
        back.append(_take(book, book.guards.spread_of(*key, REVERSE_CARRY.direction), -basis))
    return [one for one in back if one is not None]


def _take(book: Book, spread: Spread, basis: float) -> Spread | None:
    """One direction's basis; the spread if it has just come back."""
    limits = book.config.limits.spread
    spread.now = basis
    spread.moments.add(spread.now, book.now.market_ms, limits.window_h)
    score = z_score(spread)
    if score is None:
        return None
    if score >= limits.add_z:
        spread.extreme = spread.now if spread.extreme is None else max(spread.extreme, spread.now)
    elif score < limits.reduce_z * RELEASE:
        spread.extreme = None
        if spread.held_back:
            spread.held_back, spread.granted_base = False, ZERO
            return spread
    return None


def z_score(spread: Spread) -> float | None:
    """How far the basis is above its mean, in standard deviations; None while the window is too young."""
    if len(spread.moments.samples) < SAMPLES_MIN:
        return None
    mean, deviation = spread.moments.mean_and_deviation()
    return (spread.now - mean) / max(deviation, DEVIATION_MIN)


def basis_pnl_usd(book: Book, hedge: Hedge) -> Decimal | None:
    """All price P&L of the legs, realised and open at index and mark, our own slippage taken out."""
    pair = book.pair_of(hedge)
    mark = book.market.marks.get(pair.perp.id) if pair is not None else None
    if mark is None or mark.index <= 0:
        return None
    total = hedge.slippage_usd
    for leg in hedge.legs:
        price = mark.index if leg.kind.is_coin else mark.mark
        total += leg.realized_quote + leg.quantity_base * price - leg.cost_quote
    return total


def lost_share(book: Book, nav: Decimal, hedge: Hedge) -> Decimal:
    """Basis P&L below its best, as a share of NAV; remembers the best."""
    pnl = basis_pnl_usd(book, hedge)
    if pnl is None or nav <= 0:
        return ZERO
    peak = max(pnl, book.guards.basis_peaks.get(hedge.id, ZERO))
    book.guards.basis_peaks[hedge.id] = peak
    return (peak - pnl) / nav


def allows(book: Book, venue: str, coin: str, aimed_base: Decimal | None = None, direction: int = 1) -> bool:
    spread = book.guards.spreads_of(direction).get((venue, coin))
    if spread is None or not spread.held_back:
        return True
    return aimed_base is not None and aimed_base <= spread.granted_base


def check(book: Book, venue: str, coin: str, aimed_base: Decimal | None = None, direction: int = 1) -> Verdict:
    """Growth is refused while a reduced spread is wide, but for what R4 itself granted."""
    spread = book.guards.spreads_of(direction).get((venue, coin))
    limit = book.config.limits.spread.reduce_z * RELEASE
    if spread is None or not spread.held_back:
        return judge(RULE, ok=True, limit=limit, observed="not held back")
    score = z_score(spread)
    observed = "no z-score yet" if score is None else score
    detail = "z-score of the basis; reduced, and not come back yet"
    ok = allows(book, venue, coin, aimed_base, direction)
    return judge(RULE, ok=ok, limit=limit, observed=observed, detail=detail)


def forced(book: Book, nav: Decimal, hedge: Hedge) -> Forced | None:
    limits = book.config.limits.spread
    lost = lost_share(book, nav, hedge)
    if lost < limits.reduce_drawdown or hedge.size_base <= 0:
        return None
    spread = book.guards.spread_of(hedge.venue, hedge.coin, hedge.direction)
    if spread.acted_ms and book.now.market_ms - spread.acted_ms < limits.cooldown_s * 1000:
        return None
    score = z_score(spread)
    if score is None:
        if lost < 2 * limits.reduce_drawdown:
            return None
        limit, observed = f"{2 * limits.reduce_drawdown} of NAV", f"{lost:.5f}"
    else:
        if score < limits.reduce_z or (spread.extreme is not None and turned(book, spread)):
            return None
        limit, observed = f"z {limits.reduce_z:g} and {limits.reduce_drawdown} of NAV", f"z {score:.2f}, {lost:.5f}"
    target = min(hedge.target_base, hedge.size_base) * (ONE - limits.reduce_step)
    return Forced(RULE, hedge.id, target, limit, observed, f"{RULE}: the basis widens against us")


def reduced(book: Book, hedge: Hedge) -> Spread:
    """A reduction was applied: the cool-down starts, the strategy is held back, and the loss counts anew."""
    spread = book.guards.spread_of(hedge.venue, hedge.coin, hedge.direction)
    spread.acted_ms, spread.held_back, spread.granted_base = book.now.market_ms, True, ZERO
    pnl = basis_pnl_usd(book, hedge)
    if pnl is not None:
        book.guards.basis_peaks[hedge.id] = pnl
    return spread


def turned(book: Book, spread: Spread) -> bool:
    """Whether enough of the widening has come back."""
    if spread.extreme is None:
        return False
    way = spread.extreme - spread.moments.mean_and_deviation()[0]
    return way > 0 and spread.extreme - spread.now >= book.config.limits.spread.turn * way


def addition(book: Book, nav: Decimal, hedge: Hedge) -> Decimal | None:
    """What the hedge should grow to at the turn (base units, before lots); None when nothing is to be added."""
    limits = book.config.limits.spread
    spread = book.guards.spreads_of(hedge.direction).get((hedge.venue, hedge.coin))
    if spread is None or hedge.state is not HedgeState.HEDGED or not turned(book, spread):
        return None
    score, price = z_score(spread), price_of(book, hedge)
    if score is None or score < limits.reduce_z * RELEASE or not price:
        return None
    if spread.acted_ms and book.now.market_ms - spread.acted_ms < limits.cooldown_s * 1000:
        return None
    room = coin_cap_usd(book.config.limits, hedge.coin, nav) * CAP_SHARE - sum(
        (worst_usd(book, one) for one in book.live_hedges() if one.coin == hedge.coin), ZERO
    )
    grown = hedge.size_base * (ONE + limits.add_step)
    return min(grown, hedge.size_base + room / price) if room > 0 else None


def added(book: Book, hedge: Hedge, target_base: Decimal) -> Spread:
    """An addition was ordered: the cool-down starts, and R4 lets the hedge grow so far."""
    spread = book.guards.spread_of(hedge.venue, hedge.coin, hedge.direction)
    spread.acted_ms, spread.granted_base = book.now.market_ms, target_base
    return spread
