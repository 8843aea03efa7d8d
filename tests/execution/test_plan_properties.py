"""plan() as properties: whatever is held and aimed at, its orders are valid and lead where they should."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_kit import hedge_of, market

from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Instrument
from bot.domain.numbers import ZERO, ceil_to, common_step, floor_to
from bot.domain.orders import Purpose, Side
from bot.execution.drafts import Plan
from bot.execution.plan import plan

LOTS = [Decimal(text) for text in ("0.00001", "0.0001", "0.001", "0.01", "0.1", "1", "10", "1000")]
STEPS_MAX = 60


@st.composite
def situations(draw: st.DrawFn) -> tuple[Book, Hedge]:
    """Anything a hedge can be in: prices from 0.00001 to 100,000, grids to match, nothing to 200,000 USD a leg."""
    price = draw(st.sampled_from([Decimal(text) for text in ("0.00001", "0.02", "1.5", "40", "3000", "100000")]))
    fine = [lot for lot in LOTS if lot * price <= 100 and lot * price >= Decimal("1e-7")]
    spot_lot, perp_lot = draw(st.sampled_from(fine)), draw(st.sampled_from(fine))
    fee = Decimal(draw(st.integers(0, 20))).scaleb(-4)
    book = market(price, spot_lot, perp_lot, fee, draw(st.integers(1, 20)), draw(st.floats(30_000, 5e6)))
    usd = st.integers(0, 200_000)
    short = floor_to(Decimal(draw(usd)) / price, perp_lot)
    apart = Decimal(draw(st.integers(-3_000, 3_000))) if draw(st.booleans()) else ZERO
    held = max(ZERO, short + apart / price) + spot_lot * Decimal(draw(st.integers(0, 999))) / 1000
    target = floor_to(Decimal(draw(usd)) / price, common_step(spot_lot, perp_lot)) if draw(st.booleans()) else ZERO
    return book, hedge_of(held, short, target)


def check_orders(book: Book, hedge: Hedge, step: Plan) -> None:
    for draft in step.drafts:
        instrument = book.market.instruments[draft.instrument]
        quote = book.market.quotes[draft.instrument]
        assert draft.quantity_base > 0
        assert floor_to(draft.quantity_base, instrument.lot) == draft.quantity_base
        assert instrument.quantity_min <= draft.quantity_base <= instrument.quantity_max
        assert floor_to(draft.limit_price, instrument.tick) == draft.limit_price
        if not draft.reduce_only:
            assert draft.quantity_base * quote.bid >= instrument.notional_min
        else:
            assert draft.side is Side.BUY
            assert draft.quantity_base <= -hedge.legs[1].quantity_base
        if draft.side is Side.BUY:
            assert quote.ask <= draft.limit_price <= quote.ask * Decimal("1.0061")
        else:
            assert quote.bid * Decimal("0.9939") <= draft.limit_price <= quote.bid
        if draft.leg == 0 and draft.side is Side.SELL:
            assert draft.quantity_base <= hedge.legs[0].quantity_base
        assert draft.reduce_only == (draft.leg == 1 and draft.side is Side.BUY)


def fill(book: Book, hedge: Hedge, step: Plan) -> None:
    """Everything trades, and the venue takes its fee in the coin on spot buys."""
    fee = book.market.fees[kit.spot_id("BTC")].taker
    for draft in step.drafts:
        net = draft.quantity_base * (1 - fee) if draft.leg == 0 and draft.side is Side.BUY else draft.quantity_base
        hedge.legs[draft.leg].quantity_base += draft.side.sign * net
    hedge.state = step.state


def lots(book: Book) -> tuple[Instrument, Instrument, Decimal]:
    spot, perp = book.market.instruments[kit.spot_id("BTC")], book.market.instruments[kit.perp_id("BTC")]
    return spot, perp, max(spot.lot, perp.lot)


def dust_base(book: Book) -> Decimal:
    """What neither leg can trade alone."""
    spot, _, lot = lots(book)
    bid = min(quote.bid for quote in book.market.quotes.values())
    return max(lot, ceil_to(spot.notional_min / bid, spot.lot), spot.quantity_min) + lot


@given(situations(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_filled_step_by_step_it_comes_to_rest_whole(situation: tuple[Book, Hedge], may_open: bool) -> None:
    book, hedge = situation
    _, _, lot = lots(book)
    started = max(hedge.legs[0].quantity_base, -hedge.legs[1].quantity_base)
    highest = max(hedge.target_base, started) + lot
    for _ in range(STEPS_MAX):
        step = plan(book, hedge, may_open=may_open)
        check_orders(book, hedge, step)
        if not step.drafts:
            break
        before = -hedge.legs[1].quantity_base
        fill(book, hedge, step)
        short, coins = -hedge.legs[1].quantity_base, hedge.legs[0].quantity_base
        assert short >= 0
        assert coins >= 0
        assert short <= highest
        if {draft.purpose for draft in step.drafts} == {Purpose.OPEN}:
            assert may_open
            assert before < short <= hedge.target_base, "opening never overshoots"
    else:
        raise AssertionError("it does not come to rest")
    assert abs(hedge.imbalance_base) <= dust_base(book)
    if hedge.target_base == 0:
        assert hedge.legs[1].quantity_base == 0, "a closed hedge has no short left"
        assert step.state is HedgeState.CLOSED
    else:
        assert step.state in (HedgeState.HEDGED, HedgeState.OPENING)
        spot, perp, _ = lots(book)
        least = 2 * dust_base(book) + 2 * common_step(spot.lot, perp.lot)
        reached = abs(-hedge.legs[1].quantity_base - hedge.target_base) <= least
        assert reached or (not may_open and -hedge.legs[1].quantity_base < hedge.target_base)


@given(situations())
@settings(max_examples=150, deadline=None)
def test_both_legs_of_an_opening_cancel_within_a_lot(situation: tuple[Book, Hedge]) -> None:
    book, hedge = situation
    for leg in hedge.legs:
        leg.quantity_base = ZERO
    _, _, lot = lots(book)
    for _ in range(STEPS_MAX):
        step = plan(book, hedge, may_open=True)
        if not step.drafts:
            break
        assert [(draft.leg, draft.side) for draft in step.drafts] == [(0, Side.BUY), (1, Side.SELL)]
        fill(book, hedge, step)
        assert ZERO <= hedge.imbalance_base <= lot, "after fees, in every slice"


@given(situations(), st.integers(0, 100), st.integers(0, 100))
@settings(max_examples=150, deadline=None)
def test_any_partial_fills_are_made_good(situation: tuple[Book, Hedge], spot_part: int, perp_part: int) -> None:
    """Each leg of one opening fills to any part: the repair leaves less than can be traded."""
    book, hedge = situation
    for leg in hedge.legs:
        leg.quantity_base = ZERO
    step = plan(book, hedge, may_open=True)
    for draft, part in zip(step.drafts, (spot_part, perp_part), strict=False):
        lot = book.market.instruments[draft.instrument].lot
        done = floor_to(draft.quantity_base * part / 100, lot)
        fill(book, hedge, Plan(HedgeState.UNBALANCED, (replace(draft, quantity_base=done),)))
    for _ in range(4):
        step = plan(book, hedge, may_open=True)
        check_orders(book, hedge, step)
        if step.state is not HedgeState.UNBALANCED:
            break
        (draft,) = step.drafts
        assert draft.purpose in (Purpose.COMPLETE, Purpose.UNWIND)
        before = abs(hedge.imbalance_base)
        fill(book, hedge, step)
        assert abs(hedge.imbalance_base) < before
    assert abs(hedge.imbalance_base) <= dust_base(book)


@given(situations())
@settings(max_examples=150, deadline=None)
def test_without_permission_nothing_grows(situation: tuple[Book, Hedge]) -> None:
    book, hedge = situation
    for draft in plan(book, hedge, may_open=False).drafts:
        assert draft.purpose not in (Purpose.OPEN, Purpose.COMPLETE)
        assert (draft.leg, draft.side) in ((0, Side.SELL), (1, Side.BUY))


@given(situations(), st.one_of(st.integers(0, 1_000), st.integers(0, 10**6)))
@settings(max_examples=150, deadline=None)
def test_no_plan_spends_more_than_there_is(situation: tuple[Book, Hedge], cash: int) -> None:
    book, hedge = situation
    book.balances["venue:binance:spot", "USDT"] = Decimal(cash)
    spent = sum(
        (draft.quantity_base * draft.limit_price)
        for draft in plan(book, hedge, may_open=True).drafts
        if draft.leg == 0 and draft.side is Side.BUY
    )
    assert spent <= cash


def test_a_largest_order_bounds_the_slice() -> None:
    book = market(Decimal(100), Decimal("0.01"), Decimal("0.01"), Decimal("0.001"), 1, 1e9)
    for name in (kit.spot_id("BTC"), kit.perp_id("BTC")):
        largest = replace(book.market.instruments[name], quantity_max=Decimal(50))
        book.market.list_instruments((largest,))
    for target in ("50", "50.02", "99.7", "100.02", "150"):
        hedge = hedge_of(ZERO, ZERO, Decimal(target))
        while plan(book, hedge, may_open=True).drafts:
            step = plan(book, hedge, may_open=True)
            check_orders(book, hedge, step)
            fill(book, hedge, step)
        hedge.target_base = ZERO
        while plan(book, hedge, may_open=True).drafts:
            step = plan(book, hedge, may_open=True)
            check_orders(book, hedge, step)
            fill(book, hedge, step)
        assert hedge.legs[1].quantity_base == 0
