"""Random books in which coins are held both ways: what is approved breaks no limit, by arithmetic of its own."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from random_books import COINS, LOT, NOW, VENUES, books, instrument, limits, lots, order, shares, worst
from test_approval_properties import MANY, ROUNDING, cap_usd

from bot.domain.book import Book
from bot.domain.config import Limits, ReverseCarry
from bot.domain.guards import Breach
from bot.domain.hedges import Control, Hedge, HedgeState, Leg, Removal
from bot.domain.instruments import FeeRates, Instrument, Kind, Wallet
from bot.domain.market import BorrowTerms, SettledRate
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent, Purpose, Side
from bot.domain.time import HOUR_MS
from bot.domain.valuation import nav_usd
from bot.risk.review import approve_orders, entry_verdicts, forced_changes
from bot.risk.rules import r01_negative_funding

D = Decimal
BOTH = ("cash_and_carry", "reverse_carry")


def margin_spot(venue: str, coin: str) -> Instrument:
    spot = instrument(venue, coin, Kind.SPOT)
    return replace(spot, id=f"{venue}:{coin}:margin", kind=Kind.MARGIN, wallet=Wallet.MARGIN)


@st.composite
def both_ways(draw: st.DrawFn) -> Book:
    """A random book of which some hedges owe their coin; loans to be had or not, negative and positive rates."""
    book = draw(books())
    strategies = draw(st.sampled_from([BOTH, BOTH, BOTH, ("cash_and_carry",)]))
    book.config = replace(book.config, strategies=strategies, reverse_carry=ReverseCarry(rate_max=0.5))
    for venue in VENUES:
        owed = ZERO
        for coin in COINS:
            one = margin_spot(venue, coin)
            book.market.list_instruments((one,))
            book.market.fees[one.id] = FeeRates(D("0.001"), D("0.001"))
            book.market.take_quote(book.market.quotes[f"{venue}:{coin}:spot"], NOW.mono_ms)
            book.market.take_liquidity(book.market.liquidity[f"{venue}:{coin}:spot"])
            terms = BorrowTerms(venue, coin, D(draw(st.integers(1, 60))) / 100 / 8_760, draw(lots(1_000)))
            if draw(st.integers(0, 9)):
                book.market.borrow[venue, coin] = terms
                book.market.borrow_seen_ms[venue, coin] = NOW.mono_ms - draw(st.sampled_from([0, 0, 0, 0, 700_000]))
            mark = book.market.marks[f"{venue}:{coin}:perp"]
            rate = D(draw(st.integers(-150, 10))) / 10_000
            spot = book.market.quotes[f"{venue}:{coin}:spot"].mid
            book.market.marks[mark.instrument] = replace(
                mark, index=spot, predicted_rate=rate, next_funding_ms=NOW.market_ms + 1
            )
            hedge = book.hedge_of(venue, coin)
            if hedge is not None and draw(st.booleans()):
                owed += _turn(book, hedge)
        own = D(draw(st.integers(0, 400_000)))
        book.balances[f"venue:{venue}:margin", "USDT"] = owed + own
    for one in ("one", "two"):
        if draw(st.integers(0, 9)) == 0:
            book.guards.recalls[one, "AAA"] = NOW.market_ms - HOUR_MS
    return book


def _turn(book: Book, hedge: Hedge) -> Decimal:
    """Let a hedge stand the other way round, its orders too; returns what its coins were sold for."""
    coin, perp = hedge.legs
    price = COINS[hedge.coin]
    hedge.strategy = "reverse_carry"
    hedge.legs = (
        Leg(f"{hedge.venue}:{hedge.coin}:margin", Kind.MARGIN, -1, -coin.quantity_base, -coin.cost_quote),
        Leg(perp.instrument, Kind.PERP, 1, -perp.quantity_base, -perp.cost_quote),
    )
    book.balances[f"venue:{hedge.venue}:spot", hedge.coin] = ZERO
    book.balances[f"venue:{hedge.venue}:margin", hedge.coin] = -coin.quantity_base
    for record in book.orders_of(hedge):
        leg = hedge.legs[record.intent.leg].instrument
        record.intent = replace(record.intent, side=record.intent.side.other, instrument=leg)
    return coin.quantity_base * price


def opening(draw: st.DrawFn, book: Book, hedge: Hedge) -> tuple[OrderIntent, ...]:
    quantity, purpose = draw(lots(1_500)), draw(st.sampled_from([Purpose.OPEN, Purpose.OPEN, Purpose.COMPLETE]))
    structure, other = hedge.structure, draw(st.sampled_from([quantity, LOT]))
    first = order(book, hedge, 0, structure.way_in(0), quantity, purpose, "new-1", draw(shares(95, 110)))
    second = order(book, hedge, 1, structure.way_in(1), other, purpose, "new-2", D(1))
    return draw(st.sampled_from([(first, second), (first,), (second,)]))


@settings(MANY, max_examples=200)
@given(data=st.data(), book=both_ways())
def test_no_approved_order_breaks_a_limit_whichever_way_round(data: st.DataObject, book: Book) -> None:
    assume(book.hedges)
    owing = [one for one in book.hedges.values() if one.direction < 0] or list(book.hedges.values())
    hedge = data.draw(st.sampled_from(sorted(owing, key=lambda one: one.id)))
    if data.draw(st.integers(0, 3)):
        book.control, book.unexplained, book.guards.drawdown.level = Control.RUNNING, set(), Breach.NONE
        book.ready = dict.fromkeys(book.ready, True)
    intents = data.draw(st.composite(opening)(book, hedge))
    book.config = replace(book.config, limits=data.draw(st.one_of(st.just(book.config.limits), limits())))
    verdicts = approve_orders(book, nav_usd(book), hedge, intents)
    after, bounds = worst(book, intents), book.config.limits
    assert abs(after.nav - nav_usd(book)) < ROUNDING
    if not verdicts or not all(verdict.approved for verdict in verdicts):
        return
    event(f"approved, {hedge.structure.name}")
    room = 1 + ROUNDING
    assert after.by_coin[hedge.coin] <= cap_usd(bounds, hedge.coin, after.nav) * room, "R2"
    assert sum(after.by_coin.values()) <= bounds.leverage_ceiling * after.nav * room, "R3"
    assert (book.control, book.ready[hedge.venue]) == (Control.RUNNING, True), "R15"
    if hedge.direction < 0:
        repairing = all(intent.purpose is Purpose.COMPLETE for intent in intents)
        check_loan(book, hedge, intents, bounds.liquidation.min if repairing else bounds.liquidation.warn)
        if not repairing:
            check_terms(book, hedge)


def check_loan(book: Book, hedge: Hedge, intents: tuple[OrderIntent, ...], distance: float) -> None:
    """R7: all that may still be sold on loan at the venue, and coins dearer by the distance, leave the level."""
    held = {asset: q for (account, asset), q in book.balances.items() if account == f"venue:{hedge.venue}:margin"}
    price = {coin: book.market.quotes[f"{hedge.venue}:{coin}:spot"].mid for coin in COINS}
    assets, owed = float(held.get("USDT", ZERO)), 0.0
    for coin, middle in price.items():
        owed -= float(min(ZERO, held.get(coin, ZERO)) * middle)
    flying = [(record.intent, record.open_base) for record in book.orders.values()]
    flying += [(intent, intent.quantity_base) for intent in intents]
    for intent, quantity in flying:
        if intent.instrument.startswith(f"{hedge.venue}:") and intent.instrument.endswith(":margin"):
            lent = float(quantity * price[intent.instrument.split(":")[1]]) if intent.side is Side.SELL else 0.0
            assets, owed = assets + lent, owed + lent
    assert assets >= 1.1 * owed * (1 + distance) * (1 - 1e-9), "R7"


def check_terms(book: Book, hedge: Hedge) -> None:
    """R9: what was approved is listed as a strategy, on loan now, not too dear, not recalled, and pays."""
    key = hedge.venue, hedge.coin
    terms, mark = book.market.borrow[key], book.market.marks[f"{hedge.venue}:{hedge.coin}:perp"]
    assert "reverse_carry" in book.config.strategies
    assert NOW.mono_ms - book.market.borrow_seen_ms[key] <= 600_000
    assert terms.rate_per_h * 8_760 <= D("0.5") * (1 + ROUNDING)
    assert key not in book.guards.recalls
    assert terms.available_base > 0
    assert -mark.predicted_rate > terms.rate_per_h * 8 + D("0.004") * 8 / 48, (
        "four trades at 0.1 % over six intervals"
    )


@MANY
@given(data=st.data(), book=both_ways())
def test_what_reduces_is_refused_only_as_insane_whichever_way_round(data: st.DataObject, book: Book) -> None:
    held = [(one, place) for one in book.hedges.values() for place in (0, 1) if one.legs[place].quantity_base]
    assume(held)
    hedge, place = data.draw(st.sampled_from(held))
    leg = hedge.legs[place]
    side = Side.SELL if leg.quantity_base > 0 else Side.BUY
    quantity = data.draw(lots(8_000))
    book.guards.extreme.active = data.draw(st.booleans())
    book.market.borrow.clear()
    book.balances.clear()
    intent = order(book, hedge, place, side, quantity, Purpose.CLOSE, "new-1", D(1))
    flying = sum(
        (one.open_base for one in book.orders_of(hedge) if (one.intent.leg, one.intent.side) == (place, side)), D(0)
    )
    asked = quantity + flying
    sane = asked <= abs(leg.quantity_base)
    if leg.kind is Kind.MARGIN:  # a loan is paid to the last digit: rounded up to the lot, fee in the coin on top
        sane = sane or (asked - LOT) * D("0.999") < abs(leg.quantity_base)
    verdicts = approve_orders(book, nav_usd(book), hedge, (intent,))
    assert [(verdict.rule, verdict.approved) for verdict in verdicts] == [("sanity", sane)]


@MANY
@given(book=both_ways())
def test_forced_changes_only_reduce_whichever_way_round(book: Book) -> None:
    changes = forced_changes(book, nav_usd(book), list(book.hedges.values()))
    for change in changes:
        hedge = book.hedges[change.hedge_id]
        assert 0 <= change.target_base < max(hedge.target_base, hedge.size_base)
    for hedge in book.hedges.values():
        if hedge.direction < 0 and (hedge.venue, hedge.coin) in book.guards.recalls:
            left = next(change.target_base for change in changes if change.hedge_id == hedge.id)
            assert left == 0, "a recall closes"


@MANY
@given(book=both_ways())
def test_no_coin_may_be_entered_the_other_way_round(book: Book) -> None:
    for hedge in book.hedges.values():
        assert hedge.state is not HedgeState.CLOSED
        other = book.market.pair(hedge.venue, hedge.coin, -hedge.direction)
        assert other is not None
        assert any(not each.approved for each in entry_verdicts(book, other) if each.rule == "direction")


@given(
    days=st.lists(st.lists(st.integers(-3, 3), min_size=0, max_size=4), min_size=1, max_size=30),
    interval_h=st.sampled_from([1, 4, 8]),
)
def test_the_long_side_counts_what_the_short_side_would_at_rates_turned(
    days: list[list[int]], interval_h: int
) -> None:
    """R1 for direction -1 at rates r is R1 for direction +1 at rates -r: same removals, same days, same times."""
    bounds = Limits()
    long, short = Removal("one", "AAA", -1), Removal("one", "AAA", 1)
    start = NOW.market_ms // (24 * HOUR_MS) * 24 * HOUR_MS
    for number, rates in enumerate(days):
        for place, rate in enumerate(rates):
            at_ms = start + number * 24 * HOUR_MS + (place + 1) * interval_h * HOUR_MS
            one = SettledRate("p", at_ms, D(rate) / 10_000, interval_h * 3600)
            turned = replace(one, rate=-one.rate)
            assert r01_negative_funding.count(long, one, bounds) == r01_negative_funding.count(short, turned, bounds)
            assert replace(long, direction=1) == short
