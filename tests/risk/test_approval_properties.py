"""For random books, markets and limits: what is approved breaks no limit, what reduces is refused only as insane."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from random_books import COINS, LOT, NOW, VENUES, books, keys, limits, lots, money, order, shares, worst

from bot.domain.book import Book
from bot.domain.config import Budget, CapOf, Limits
from bot.domain.guards import Breach
from bot.domain.hedges import Control, Hedge, HedgeState, Removal
from bot.domain.orders import OrderIntent, OrderState, Purpose, Side
from bot.domain.valuation import nav_usd
from bot.risk.review import approve_orders, entry_refusal, entry_verdicts, forced_changes
from bot.risk.rules import r07_liquidation

D = Decimal
ROUNDING = D("0.000001")
MANY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

ALWAYS_THE_SAME = settings(MANY, derandomize=True, suppress_health_check=list(HealthCheck))
"""The same draws in every run: what is said of them must not depend on luck."""


def opening(draw: st.DrawFn, book: Book, hedge: Hedge) -> tuple[OrderIntent, ...]:
    """A pair that buys spot and sells the perp, of sizes that are often near what is allowed."""
    quantity, purpose = draw(lots(1_500)), draw(st.sampled_from([Purpose.OPEN, Purpose.OPEN, Purpose.COMPLETE]))
    buy = order(book, hedge, 0, Side.BUY, quantity, purpose, "new-1", draw(shares(95, 110)))
    sell = order(book, hedge, 1, Side.SELL, draw(st.sampled_from([quantity, LOT])), purpose, "new-2", D(1))
    return draw(st.sampled_from([(buy, sell), (buy,), (sell,)]))


def cap_usd(bounds: Limits, coin: str, nav: Decimal) -> Decimal:
    share = bounds.per_coin_cap_overrides.get(coin, bounds.per_coin_cap)
    return share * nav * (bounds.leverage_ceiling if bounds.per_coin_cap_of is CapOf.CAPACITY else 1)


Case = tuple[Book, Hedge, tuple[OrderIntent, ...]]


@st.composite
def anywhere(draw: st.DrawFn) -> Case:
    """Any book, orders for one of its hedges, and limits that may have been edited since the book was drawn."""
    book = draw(books().filter(lambda one: bool(one.hedges)))
    hedge = draw(st.sampled_from(sorted(book.hedges.values(), key=lambda one: one.id)))
    intents = opening(draw, book, hedge)
    book.config = replace(book.config, limits=draw(st.one_of(st.just(book.config.limits), limits())))
    return book, hedge, intents


@st.composite
def near_the_venue_cap(draw: st.DrawFn) -> Case:
    """A rich book in order, whose next orders come to about what R13 lets be in use; no other rule is near its limit.

    The cap lies between what is held at the venue and what may be held there once all orders have filled: what is in
    flight decides.
    """
    book = draw(books().filter(lambda one: bool(one.hedges)))
    in_order(book)
    hedge = draw(st.sampled_from(sorted(book.hedges.values(), key=lambda one: one.id)))
    for venue in VENUES:
        rich = money(400_000, 900_000) if venue == hedge.venue else money(4_000_000, 9_000_000)
        for wallet in ("spot", "perp"):
            book.balances[f"venue:{venue}:{wallet}", "USDT"] = draw(rich)
    intents = tuple(replace(one, purpose=Purpose.OPEN) for one in opening(draw, book, hedge))
    after, held = worst(book, intents), worst(replace(book, orders={}))
    low, high = held.by_venue[hedge.venue], after.by_venue[hedge.venue]
    usable = low + (high - low) * draw(shares(0, 130))
    share = draw(shares(25, 60))
    bounds = replace(
        book.config.limits,
        per_venue_cap=share,
        leverage_ceiling=max(usable, D(1)) / share / after.nav,
        per_coin_cap=D(1),
        per_coin_cap_of=CapOf.CAPACITY,
        per_coin_cap_overrides={},
        budget=Budget(orders_per_hour=4_000),
    )
    book.config = replace(book.config, limits=bounds)
    return book, hedge, intents


def in_order(book: Book) -> None:
    """Nothing but arithmetic is left to refuse an order for."""
    book.control, book.unexplained, book.doubted = Control.RUNNING, set(), {}
    book.ready, book.guards.drawdown.level = dict.fromkeys(book.ready, True), Breach.NONE


@MANY
@given(case=st.one_of(anywhere(), near_the_venue_cap()))
def test_no_approved_order_breaks_r2_r3_r13_or_r15(case: Case) -> None:
    book, hedge, intents = case
    verdicts = approve_orders(book, nav_usd(book), hedge, intents)
    approved = bool(verdicts) and all(verdict.approved for verdict in verdicts)
    event("approved" if approved else "refused")
    after, bounds = worst(book, intents), book.config.limits
    assert abs(after.nav - nav_usd(book)) < ROUNDING
    if not approved:
        return
    room = 1 + ROUNDING
    assert after.by_coin[hedge.coin] <= cap_usd(bounds, hedge.coin, after.nav) * room, "R2"
    assert sum(after.by_coin.values()) <= bounds.leverage_ceiling * after.nav * room, "R3"
    assert book.control is Control.RUNNING, "R15"
    assert book.ready[hedge.venue], "R15"
    assert hedge.venue not in book.unexplained
    assert hedge.venue not in book.doubted
    if any(intent.purpose is Purpose.OPEN for intent in intents):
        assert book.guards.drawdown.level is Breach.NONE, "R5"
        if bounds.per_venue_cap < 1:
            capacity = bounds.leverage_ceiling * after.nav
            assert after.by_venue[hedge.venue] <= bounds.per_venue_cap * capacity * room, "R13"
            assert after.nav_by_venue[hedge.venue] <= bounds.per_venue_cap * after.nav * room, "R13"
        assert len(intents) <= bounds.budget.orders_per_hour


def check_against_the_arithmetic(case: Case) -> set[str]:
    """R2, R3 and R13 refuse exactly when the literal arithmetic says so; returns the rules that refused."""
    book, hedge, intents = case
    verdicts = approve_orders(book, nav_usd(book), hedge, intents)
    after, bounds = worst(book, intents), book.config.limits
    refused = {verdict.rule for verdict in verdicts if not verdict.approved}
    edge = ROUNDING * after.nav
    guarded = after.by_coin[hedge.coin] * (1 + book.config.execution.guard_bps / 10_000)
    over_coin = guarded - max(D(0), cap_usd(bounds, hedge.coin, after.nav))
    over_all = sum(after.by_coin.values()) - bounds.leverage_ceiling * after.nav
    if after.nav > 0 and abs(over_coin) > edge:
        assert ("R2" in refused) == (over_coin > 0)
    if after.nav > 0 and abs(over_all) > edge:
        assert ("R3" in refused) == (over_all > 0)
    if after.nav > 0 and intents[0].purpose is Purpose.OPEN and bounds.per_venue_cap < 1:
        used = after.by_venue[hedge.venue] / (bounds.leverage_ceiling * after.nav)
        over_venue = max(used, after.nav_by_venue[hedge.venue] / after.nav) - bounds.per_venue_cap
        if abs(over_venue) > ROUNDING:
            assert ("R13" in refused) == (over_venue > 0)
    return refused


@ALWAYS_THE_SAME
@given(case=anywhere())
def test_with_everything_else_in_order_the_arithmetic_decides(case: Case) -> None:
    in_order(case[0])
    check_against_the_arithmetic(case)


def test_the_draws_are_neither_all_refused_nor_all_small() -> None:
    """Near the venue's cap a good part is approved, and a good part is refused by R13 and by no other rule."""
    told: Counter[str] = Counter()

    @ALWAYS_THE_SAME
    @given(case=near_the_venue_cap())
    def look(case: Case) -> None:
        refused = check_against_the_arithmetic(case)
        told["approved" if not refused else "R13 alone" if refused == {"R13"} else "others"] += 1
        flying = [one for one in case[0].orders.values() if one.open_base and one.intent.hedge_id == case[1].id]
        told["in flight"] += bool(flying)
        told["unknown"] += any(one.state is OrderState.UNKNOWN for one in flying)

    look()
    assert told["approved"] >= 10, told
    assert told["R13 alone"] >= 10, told
    assert told["in flight"] >= 15, told
    assert told["unknown"] >= 3, told


def _into_a_hole(book: Book, intent: OrderIntent) -> bool:
    """The mark of a perpetual is the index of its spot too; where liquidation is near nothing waits."""
    told = book.market.marks[intent.instrument.replace("spot", "perp")].mark
    quote = book.market.quotes[intent.instrument]
    worse = quote.bid < told * D("0.95") if intent.side is Side.SELL else quote.ask > told * D("1.05")
    near = r07_liquidation.distance(book, intent.venue) < book.config.limits.liquidation.min
    return worse and not near and intent.purpose is not Purpose.UNWIND


@MANY
@given(data=st.data(), book=books())
def test_what_reduces_is_refused_only_as_insane(data: st.DataObject, book: Book) -> None:
    held = [(one, place) for one in book.hedges.values() for place in (0, 1) if one.legs[place].quantity_base]
    assume(held)
    hedge, place = data.draw(st.sampled_from(held))
    leg = hedge.legs[place]
    side = Side.SELL if leg.quantity_base > 0 else Side.BUY
    purpose = data.draw(st.sampled_from([Purpose.REDUCE, Purpose.CLOSE, Purpose.UNWIND]))
    quantity = data.draw(lots(8_000))
    book.guards.extreme.active = data.draw(st.booleans())
    book.guards.spent.add(NOW.market_ms, orders=10_000, fees_usd=D(1_000_000))
    if data.draw(st.booleans()):
        book.market.feed_alive_ms.clear()
        book.balances.clear()
    intent = order(book, hedge, place, side, quantity, purpose, "new-1", D(1))
    flying = sum(
        (one.open_base for one in book.orders_of(hedge) if (one.intent.leg, one.intent.side) == (place, side)), D(0)
    )
    sane = quantity + flying <= abs(leg.quantity_base) and not _into_a_hole(book, intent)
    verdicts = approve_orders(book, nav_usd(book), hedge, (intent,))
    assert [(verdict.rule, verdict.approved) for verdict in verdicts] == [("sanity", sane)]


@MANY
@given(data=st.data(), book=books())
def test_a_reducing_order_never_flips_or_adds(data: st.DataObject, book: Book) -> None:
    """Against the leg's own direction, of less than nothing, or off the lot grid: insane."""
    assume(book.hedges)
    hedge = data.draw(st.sampled_from(sorted(book.hedges.values(), key=lambda one: one.id)))
    leg = hedge.legs[0]
    wrong = data.draw(
        st.sampled_from(
            [
                (Side.BUY, LOT),
                (Side.SELL, abs(leg.quantity_base) + LOT),
                (Side.SELL, D(0)),
                (Side.SELL, -LOT),
                (Side.SELL, LOT / 3),
            ]
        )
    )
    intent = order(book, hedge, 0, wrong[0], wrong[1], Purpose.REDUCE, "new-1", D(1))
    verdicts = approve_orders(book, nav_usd(book), hedge, (intent,))
    assert [(verdict.rule, verdict.approved) for verdict in verdicts] == [("sanity", False)]


@MANY
@given(data=st.data(), book=books())
def test_what_no_rule_looked_at_is_not_approved(data: st.DataObject, book: Book) -> None:
    assume(book.hedges)
    hedge = data.draw(st.sampled_from(sorted(book.hedges.values(), key=lambda one: one.id)))
    assert approve_orders(book, nav_usd(book), hedge, ()) == []
    book.market.pairs.clear()
    verdicts = approve_orders(
        book, nav_usd(book), hedge, (order(book, hedge, 0, Side.BUY, LOT, Purpose.OPEN, "n", D(1)),)
    )
    assert any(not verdict.approved for verdict in verdicts)


@MANY
@given(data=st.data(), book=books())
def test_the_refusal_of_an_entry_is_the_first_verdict_against_it(data: st.DataObject, book: Book) -> None:
    """The way without words to what `entry_verdicts` says."""
    name = data.draw(st.sampled_from(sorted(book.market.instruments)))
    book.guards.extreme.active = data.draw(st.integers(0, 9)) == 0
    if data.draw(st.booleans()):
        venue, coin = data.draw(keys())
        book.removals[venue, coin, 1] = Removal(venue, coin, 1, removed=True, reason="drawn")
        book.guards.spread_of(venue, coin).held_back = data.draw(st.booleans())
    age_ms = data.draw(st.sampled_from([0, 4_999, 5_000, 5_001]))
    for seen in (book.market.mark_seen_ms, book.market.quote_seen_ms):
        if name in seen:
            seen[name] -= age_ms
    if data.draw(st.integers(0, 4)) == 0:
        feed = book.market.instruments[name].feed
        book.market.feed_alive_ms[feed] -= age_ms
        book.market.feed_lost_ms[feed] = NOW.mono_ms - data.draw(st.sampled_from([0, 10_000]))
    if data.draw(st.integers(0, 4)) == 0:
        book.market.liquidity.pop(name)
    for pair in book.market.all_pairs():
        against = [verdict for verdict in entry_verdicts(book, pair) if not verdict.approved]
        assert entry_refusal(book, pair) == (against[0] if against else None)


@MANY
@given(book=books())
def test_forced_changes_only_reduce_and_the_smallest_target_holds(book: Book) -> None:
    book.ready = dict.fromkeys(book.ready, True)
    hedges = list(book.hedges.values())
    book.guards.extreme.active = book.guards.drawdown.level is Breach.SOFT
    book.guards.extreme.moved_ms = NOW.market_ms
    nav = nav_usd(book)
    changes = forced_changes(book, nav, hedges)
    assert len({change.hedge_id for change in changes}) == len(changes)
    for change in changes:
        hedge = book.hedges[change.hedge_id]
        assert 0 <= change.target_base < max(hedge.target_base, hedge.size_base)
        assert change.rule
        assert change.reason
    for hedge in hedges:
        if book.guards.extreme.active and hedge.state is not HedgeState.CLOSING and hedge.target_base > 0:
            left = next((one.target_base for one in changes if one.hedge_id == hedge.id), hedge.target_base)
            assert left <= max(D(0), min(hedge.target_base, hedge.size_base)) * D("0.5") or hedge.target_base <= left


def test_the_coins_of_the_draw_have_prices() -> None:
    assert all(price > 0 for price in COINS.values())
