"""A book whose one side has vanished: a hedge loses nothing by it, unless its legs are traded there."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, expires, fill_of, fills, orders, report_of, said, silence

from bot.domain.actions import Emit, PlaceOrders
from bot.domain.config import Execution
from bot.domain.events import CloseCoin, Reconciled, Tick
from bot.domain.market import Quote
from bot.domain.orders import OrderState

D = Decimal


def hole(book: Playbook, name: str, bid: str, ask: str) -> None:
    book.feed(Quote(name, D(bid), D(ask), D(1), D(1)))


@pytest.mark.parametrize(
    ("name", "bid", "ask"), [(kit.spot_id("BTC"), "60000", "100005"), (kit.perp_id("BTC"), "99995", "120000")]
)
def test_a_hedge_is_not_closed_into_a_hole_and_goes_when_the_book_is_there_again(
    play: Play, name: str, bid: str, ask: str
) -> None:
    book = play().scene().run()
    book.wait(0.3).alive()
    hole(book, name, bid, ask)
    book >> CloseCoin("BTC", "enough") << silence()
    book >> Tick() << said("risk.refused", rule="sanity") << said("hedge.held_up", coin="BTC")
    for _ in range(15):
        book.wait(1).alive("100000") >> Tick() << silence()
    for quote in kit.quotes("BTC"):
        book.feed(quote)
    book.wait(1).alive() >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")


def holed(book: Playbook) -> None:
    """All is told of as ever, but for the bids of the spot."""
    book.price("BTC", "100000").alive("100000").feed(Reconciled(kit.VENUE))
    hole(book, kit.spot_id("BTC"), "60000", "100005")


def test_a_hole_that_stays_is_no_reason_to_hold_for_ever(play: Play) -> None:
    """What the venue values may be what its market never pays: of a coin that cannot be deposited any more."""
    book = play().scene().run()
    book.wait(0.3)
    holed(book)
    book >> CloseCoin("BTC", "enough") << silence()
    book >> Tick() << said("hedge.held_up", wait_s=600.0)
    for turn in range(149):
        book.wait(4)
        holed(book)
        assert not (book >> Tick()).unmet, turn
    book.wait(4)
    holed(book)
    book >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")


def test_a_fall_that_index_and_mark_confirm_is_no_hole(play: Play) -> None:
    book = play().scene().run()
    book.wait(0.3).price("BTC", "60000").alive()
    book.feed(CloseCoin("BTC", "enough"))
    book >> Tick()
    assert book.unmet
    book.unmet.clear()


def test_where_liquidation_is_near_both_legs_go_all_the_same(play: Play) -> None:
    book = play().scene().run()
    book.wait(0.3).alive()
    book.state.book.balances["venue:binance:perp", "USDT"] = D(6_000)
    book.state.book.balances["venue:binance:spot", "USDT"] = D(0)
    hole(book, kit.spot_id("BTC"), "90000", "100005")
    book.feed(CloseCoin("BTC", "enough"))
    book >> Tick()
    assert book.sent[-1].purpose.value == "close"
    book.unmet.clear()


def test_a_naked_leg_is_taken_back_whatever_the_book_looks_like(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    hole(book, kit.perp_id("BTC"), "80000", "80010")
    book >> fills("spot")
    book >> expires("perp")
    assert book.unmet
    book.unmet.clear()


def test_a_hedge_of_many_slices_waits_once_and_is_told_once(play: Play) -> None:
    """Each slice had waited for ten minutes anew: at a price that is never confirmed a hedge took days to go."""
    book = play(kit.config(("BTC",), execution=Execution(slice_usd=D(4_000)))).scene().run()
    book.wait(0.3)
    holed(book)
    book >> CloseCoin("BTC", "enough")
    book >> Tick() << said("hedge.held_up", coin="BTC")
    for _ in range(151):
        book.wait(4)
        holed(book)
    again = 0
    for _ in range(20):
        book.wait(1)
        holed(book)
        for action in book.feed(Tick()):
            again += isinstance(action, Emit) and action.name == "hedge.held_up"
            book.serve(action)
    assert not book.state.book.live_hedges()
    assert not again


def test_a_hole_after_the_book_was_there_again_is_another_one(play: Play) -> None:
    book = play(kit.config(("BTC",), execution=Execution(slice_usd=D(4_000)))).scene().run()
    book.wait(0.3)
    holed(book)
    book >> CloseCoin("BTC", "enough")
    book >> Tick() << said("hedge.held_up", coin="BTC")
    for _ in range(151):
        book.wait(4)
        holed(book)
    for quote in kit.quotes("BTC"):
        book.feed(quote)
    for action in book.feed(Tick()):
        if isinstance(action, PlaceOrders):
            holed(book)
            for intent in action.intents:
                price = D(100_000)
                book.feed(fill_of(book, intent, price=price))
                left = book.feed(report_of(intent, OrderState.FILLED, intent.quantity_base))
                assert not any(isinstance(one, PlaceOrders) for one in left)
    assert book.state.book.live_hedges()
