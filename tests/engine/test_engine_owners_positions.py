"""What the owner holds by hand, in perpetuals that hedges held before."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, fill_of, receipt, report_of, said, saved

from bot.domain.config import DrawdownLimits
from bot.domain.events import AccountReported, CloseCoin, LiquidationCharged, OrderFilled, PositionRisk, Tick
from bot.domain.guards import Breach, Remembered
from bot.domain.hedges import HedgeState, Leg, LiquidationCharge
from bot.domain.ledger import Transaction
from bot.domain.orders import OrderState, Side
from bot.domain.time import HOUR_MS
from bot.risk.rules import r07_liquidation

EIGHT_HOURS_MS = 8 * HOUR_MS


def test_a_payment_of_what_the_owner_holds_by_hand_is_not_that_of_a_hedge_closed_before(play: Play) -> None:
    book = play().scene().run()
    hedge = book.hedge
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    assert hedge.closed_ms is not None
    paid = Decimal(hedge.funding_usd)
    later_ms = (hedge.closed_ms // EIGHT_HOURS_MS + 2) * EIGHT_HOURS_MS
    book.until(later_ms) >> receipt("BTC", "-9", later_ms, "91") << saved(Transaction, hedge_id="foreign")
    assert hedge.funding_usd == paid
    assert book.balance("funding:foreign") == Decimal(9)
    fee = LiquidationCharge(kit.VENUE, "main", "perp", kit.perp_id("BTC"), "USDT", Decimal(-2), later_ms, "5")
    book >> LiquidationCharged(fee) << saved(Transaction, hedge_id="foreign")


def test_a_payment_from_before_the_last_trade_is_that_of_the_hedge_though_our_clock_was_behind(play: Play) -> None:
    """Silent marks leave the market's clock behind where market time is fast; trades carry the venue's."""
    book = play().scene().run()
    hedge = book.hedge
    book.feed(CloseCoin("BTC", "enough"))
    ahead_ms = 3 * HOUR_MS
    for _ in range(200):
        book.wait(0.3).alive().feed(Tick())
        for intent in [one.intent for one in book.state.orders.values() if not one.state.ended]:
            told = fill_of(book, intent)
            book.feed(replace(told, fill=replace(told.fill, traded_ms=book.market_ms + ahead_ms)))
            book.feed(report_of(intent, OrderState.FILLED, intent.quantity_base))
        if hedge.closed_ms is not None:
            break
    assert hedge.closed_ms == book.market_ms + ahead_ms
    paid = Decimal(hedge.funding_usd)
    book.feed(receipt("BTC", "2", hedge.closed_ms - HOUR_MS // 2, "92"))
    assert hedge.funding_usd == paid + 2


def test_a_payment_that_comes_hours_late_is_that_of_the_hedge_though_others_came_after_it(play: Play) -> None:
    """One of them never filled anything, and was decided before the settlement."""
    book = play().scene().run()
    state, held = book.state, book.hedge
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    assert held.closed_ms is not None
    settled_ms, empty = held.closed_ms, tuple(Leg(leg.instrument, leg.kind, leg.direction) for leg in held.legs)
    idle = replace(held, id="h7", legs=empty, fees_usd=Decimal(0), opened_ms=settled_ms - 1)
    later = [replace(held, id=f"h{n}", opened_ms=settled_ms + n * 60_000) for n in (8, 9)]
    for hedge in (idle, *later, replace(idle, id="h10", opened_ms=settled_ms + HOUR_MS)):
        state.note_last(hedge)
    book >> receipt("BTC", "2", settled_ms, "93") << saved(Transaction, hedge_id=held.id)
    book >> receipt("BTC", "2", later[0].opened_ms, "94") << saved(Transaction, hedge_id="h8")
    before_all_ms = held.opened_ms - HOUR_MS
    book >> receipt("BTC", "2", before_all_ms, "95") << saved(Transaction, hedge_id="foreign")


def test_so_many_hedges_of_an_instrument_are_remembered(play: Play) -> None:
    state = play().scene().run().state
    held = state.hedges_of(kit.perp_id("BTC"))[0]
    for number in range(20):
        state.note_last(replace(held, id=f"h{100 + number}"))
    assert [hedge.id for hedge in state.hedges_of(kit.perp_id("BTC"))] == [f"h{n}" for n in range(119, 111, -1)]


def test_a_payment_before_anybody_told_of_the_fill_is_that_of_the_hedge_that_was_decided(play: Play) -> None:
    book = play().scene().run()
    state, before = book.state, book.hedge
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    assert before.closed_ms is not None
    empty = tuple(Leg(leg.instrument, leg.kind, leg.direction) for leg in before.legs)
    later_ms = before.closed_ms + 60_000
    live = replace(before, id="h7", legs=empty, fees_usd=Decimal(0), opened_ms=later_ms, state=HedgeState.QUARANTINED)
    state.note_last(live)
    book >> receipt("BTC", "2", later_ms, "96") << saved(Transaction, hedge_id="h7")


def drawdown(book: Playbook) -> Decimal:
    book.wait(1).alive() >> Tick()
    book.unmet.clear()
    return book.state.book.guards.drawdown.share


def by_hand(book: Playbook, coin: str, realized: str) -> OrderFilled:
    """A trade of the owner's in a perpetual, which realises so much."""
    intent = book.last("perp")
    fill = replace(fill_of(book, intent, Decimal(1), client_id="web_1", fee=Decimal(50)).fill, side=Side.SELL)
    return OrderFilled(replace(fill, instrument=kit.perp_id(coin), realized_pnl=Decimal(realized)))


@pytest.mark.parametrize("realized", ["-20000", "20000"])
def test_what_the_owners_own_perpetuals_lose_or_earn_is_not_the_books(play: Play, realized: str) -> None:
    """Two per cent of NAV, lost by hand, closed every hedge and halted the daemon."""
    book = play(kit.config(("BTC",)), coins=("BTC", "ETH")).scene().run()
    before, guards = drawdown(book), book.state.book.guards.drawdown
    book >> by_hand(book, "ETH", realized) << saved(Remembered, rule="R5", name="high") << said("fill.foreign")
    assert drawdown(book) == pytest.approx(before, abs=Decimal("0.00001"))
    paid = receipt("ETH", "-15000", book.market_ms, "91")
    book >> paid << saved(Remembered, rule="R5", name="high")
    fee = LiquidationCharge(kit.VENUE, "main", "perp", kit.perp_id("ETH"), "USDT", Decimal(-15_000), 1, "5")
    book >> LiquidationCharged(fee) << saved(Remembered, rule="R5", name="high")
    assert drawdown(book) == pytest.approx(before, abs=Decimal("0.00001"))
    assert guards.level is Breach.NONE
    unnamed = replace(fee, instrument=None, venue_id="6")
    book.feed(LiquidationCharged(unnamed))
    assert drawdown(book) > Decimal("0.008"), "what names nobody may be a loss of ours"


def test_what_the_owner_closes_by_hand_of_a_hedges_perpetual_has_still_been_lost(play: Play) -> None:
    """Its leg bears the loss until the hedge is closed, however much of the position the owner has bought back."""
    limits = replace(kit.config(()).limits, drawdown=DrawdownLimits(soft=Decimal("0.5"), hard=Decimal("0.9")))
    book = play(kit.config(("BTC",), limits=limits)).scene().run()
    book.wait(1).alive()
    mark = book.state.market.marks[kit.perp_id("BTC")]
    lost = -book.hedge.legs[1].quantity_base * mark.mark * Decimal("0.1")

    def seen() -> Decimal:
        book.wait(1).alive()
        book.feed(replace(mark, mark=mark.mark * Decimal("1.1")))
        book >> Tick()
        book.unmet.clear()
        return book.state.book.guards.drawdown.share

    before = seen()
    assert before == pytest.approx(lost / 1_000_000, rel=Decimal("0.1"))
    book.feed(by_hand(book, "BTC", f"{-lost:.2f}"))
    assert seen() == pytest.approx(before, rel=Decimal("0.02"))


def reported(book: Playbook, name: str, quantity: str, risk: PositionRisk) -> AccountReported:
    """The venue's truth as the books have it, and a position of the owner's."""
    balances: dict[str, dict[str, Decimal]] = {}
    for (account, asset), amount in book.state.ledger.balances.items():
        if account.startswith(f"venue:{kit.VENUE}:"):
            balances.setdefault(account.split(":")[2], {})[asset] = amount
    held = {leg.instrument: leg.quantity_base for hedge in book.state.book.live_hedges() for leg in hedge.legs[1:]}
    held[name] = held.get(name, Decimal(0)) + Decimal(quantity)
    return AccountReported(kit.VENUE, balances, held, complete=True, risks={name: risk})


def test_what_the_owner_holds_by_hand_in_the_same_wallet_brings_liquidation_nearer(play: Play) -> None:
    """Its loss and its maintenance are borne by the margin that stands behind the shorts of the hedges."""
    book = play().scene().run()
    state, name = book.state, f"{kit.VENUE}:OWNUSDT:perp"
    before = r07_liquidation.distance(state.book, kit.VENUE)
    margin = r07_liquidation.perp_margin_usd(state.book, kit.VENUE)
    risk = PositionRisk(Decimal(-200_000), Decimal(-30_000), Decimal(5_000))
    book.feed(reported(book, name, "-1000", risk))
    assert r07_liquidation.perp_margin_usd(state.book, kit.VENUE) == margin - 30_000
    assert r07_liquidation.distance(state.book, kit.VENUE) < before / 1.5
    book.feed(replace(reported(book, name, "0", risk), risks={}))
    assert r07_liquidation.distance(state.book, kit.VENUE) == before


def test_in_an_instrument_of_a_hedge_it_counts_once_it_is_no_lag_of_a_view(play: Play) -> None:
    book = play().scene().run()
    name, before = kit.perp_id("BTC"), r07_liquidation.distance(book.state.book, kit.VENUE)
    risk = PositionRisk(Decimal(-400_000), Decimal(0), Decimal(5_000))
    for _ in range(2):
        book.feed(reported(book, name, "-4", risk))
        assert r07_liquidation.distance(book.state.book, kit.VENUE) == before
    book.feed(reported(book, name, "-4", risk))
    assert r07_liquidation.distance(book.state.book, kit.VENUE) < before / 2
