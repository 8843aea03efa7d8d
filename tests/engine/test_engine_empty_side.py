"""An order book of which a side is empty: its last whole quote is no price to open at, and no reason to be naked."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, fills, orders, said, silence

from bot.domain.actions import Emit
from bot.domain.events import CloseCoin, FeedAlive, FeedLost, Flatten, Reconciled, Tick
from bot.domain.market import Quote
from bot.domain.valuation import nav_usd, notional_usd

ZERO = Decimal(0)


def empty(leg: str, **side: Decimal) -> Quote:
    """BTC's spot or perpetual with a side that is empty (`bid=ZERO`), or with other prices."""
    return replace(kit.quotes("BTC")[leg == "perp"], **side)


@pytest.mark.parametrize("leg", ["spot", "perp"])
@pytest.mark.parametrize("side", ["bid", "ask"])
def test_nothing_opens_on_it_until_it_is_whole_again(play: Play, leg: str, side: str) -> None:
    book = play().scene()
    book.feed(empty(leg, **{side: ZERO}))
    book >> Tick() << said("risk.refused", rule="R11") << silence()
    for _ in range(48):
        book.wait(0.25).alive() >> Tick() << silence()
    book.feed(kit.quotes("BTC")[leg == "perp"])
    book.run(20)
    assert book.hedge.size_base > 0


def test_what_was_being_built_stops_where_it_is(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.feed(empty("perp", bid=ZERO))
    book >> fills("spot") << silence()
    book >> fills("perp", price=kit.PRICES["BTC"]) << said("risk.refused", rule="R11") << silence()
    held = book.hedge.size_base
    assert 0 < held < book.hedge.target_base
    book.run(5)
    assert book.hedge.size_base == held


def test_it_is_worth_what_it_was(play: Play) -> None:
    """Half of a price would have been a loss of half of the book, and a reason for R2, R3 and R5 to sell it."""
    book = play().scene().run()
    state = book.state.book
    nav, notional = nav_usd(state), notional_usd(state, book.hedge)
    sent = len(book.sent)
    for leg in ("spot", "perp"):
        for gone in ({"bid": ZERO}, {"ask": ZERO}, {"bid": ZERO, "ask": ZERO}):
            book.feed(empty(leg, **gone))
            assert (nav_usd(state), notional_usd(state, book.hedge)) == (nav, notional)
    book.run(2)
    assert len(book.sent) == sent


@pytest.mark.parametrize(("leg", "side"), [("spot", "bid"), ("perp", "ask")])
def test_a_closing_waits_for_somebody_to_trade_with_on_both_legs(play: Play, leg: str, side: str) -> None:
    """The other leg alone would have been filled: a naked hedge in a market that nobody makes."""
    book = play().scene().run()
    sent, quantities = len(book.sent), [one.quantity_base for one in book.hedge.legs]
    book.feed(empty(leg, **{side: ZERO}))
    book.feed(CloseCoin("BTC", "test"))
    told = f"no {side}s for {empty(leg).instrument}"
    book >> Tick() << said("risk.refused", rule="R6", observed=told) << silence()
    book.run(5)
    assert (len(book.sent), [one.quantity_base for one in book.hedge.legs]) == (sent, quantities)
    book.feed(kit.quotes("BTC")[leg == "perp"])
    book.run(40)
    assert not book.state.book.live_hedges()


def test_the_owner_is_told_once_that_nobody_is_there(play: Play) -> None:
    """A flatten that could not go on was told by a line of the log alone, for as long as it lasted."""
    book = play().scene().run()
    book.feed(empty("spot", bid=ZERO))
    book.feed(Flatten("test"))
    book >> Tick() << said("hedge.no_market", coin="BTC", observed=f"no bids for {kit.spot_id('BTC')}")
    for _ in range(8):
        book.wait(0.25).alive() >> Tick()
        assert not any(isinstance(one, Emit) and one.name == "hedge.no_market" for one in book.actions)


@pytest.mark.parametrize(("leg", "side", "price"), [("spot", "ask", "97000"), ("perp", "bid", "103000")])
def test_a_closing_goes_on_at_the_side_that_is_there(play: Play, leg: str, side: str, price: str) -> None:
    """And at its price of now: an order at the last whole quote's would never have been filled."""
    book = play().scene().run()
    there = {"ask": "bid", "bid": "ask"}[side]
    book.feed(empty(leg, **{side: ZERO, there: Decimal(price)}))
    book.feed(CloseCoin("BTC", "test"))
    sent = len(book.sent)
    book.run(0.25)
    order = next(one for one in book.sent[sent:] if one.instrument.endswith(leg))
    assert (order.limit_price < 97_000) if leg == "spot" else (order.limit_price > 103_000)
    book.run(40)
    assert not book.state.book.live_hedges()


def test_where_liquidation_is_near_the_perpetual_goes_alone(play: Play) -> None:
    book = stressed(play)
    book.feed(empty("spot", bid=ZERO))
    book.feed(CloseCoin("BTC", "test"))
    sent = len(book.sent)
    book.run(0.25)
    assert any(one.instrument.endswith("perp") for one in book.sent[sent:])


def stressed(play: Play) -> Playbook:
    """A hedge of which the perp wallet has lost nearly everything."""
    book = play().scene().run()
    book.state.ledger.balances["venue:binance:perp", "USDT"] = Decimal(5_000)
    return book


def test_after_a_connection_was_lost_its_books_may_be_whole_again(play: Play) -> None:
    """An unchanged best price sends nothing: a closing would have waited for a change of it."""
    book = play().scene().run()
    book.feed(empty("spot", bid=ZERO))
    book >> FeedLost("binance:spot", "reset") << said("feed.lost")
    book.unmet.clear()
    book.feed(FeedAlive("binance:spot"))
    book.feed(Reconciled(kit.VENUE))
    book.feed(CloseCoin("BTC", "test"))
    book.run(40)
    assert not book.state.book.live_hedges()


def test_coins_that_are_borrowed_share_the_book_of_their_spot(play: Play) -> None:
    book = play().scene(margin_usdt="200000", rate="-0.001")
    book.feed(empty("spot", bid=ZERO))
    assert {"binance:BTCUSDT:spot", "binance:BTCUSDT:margin"} == book.state.market.one_sided.keys()
    book.feed(kit.quotes("BTC")[0])
    assert not book.state.market.one_sided
