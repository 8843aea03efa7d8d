"""A perpetual that the venue settles at its end, a spot that closes for good, and coins that become other ones."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, fill_of, orders, said, saved, silence
from test_engine_accepting import look, reported, word

from bot.domain.actions import LastPrice
from bot.domain.events import FeedAlive, OrderFilled, Tick, VenueListed
from bot.domain.hedges import HedgeState
from bot.domain.market import Mark
from bot.domain.orders import Side
from bot.engine.money import TAKEN
from bot.risk.rules import r05_drawdown

D = Decimal
SETTLEMENT = "settlement_autoclose-1733011200123456"


def listed(*, spot: bool, perp: bool) -> VenueListed:
    coin, future = kit.pair_instruments("BTC")
    both = replace(coin, trades=spot), replace(future, trades=perp, ends_ms=0 if perp else kit.START_MS)
    return VenueListed(kit.VENUE, both, {}, {})


def settlement(book: Playbook) -> OrderFilled:
    """The venue closes the perpetual at its end."""
    order, held = book.last("perp"), -book.hedge.legs[1].quantity_base
    taken = fill_of(book, order, held, client_id=SETTLEMENT)
    return replace(taken, fill=replace(taken.fill, side=Side.BUY))


def settled(book: Playbook) -> Playbook:
    return book >> settlement(book)


def held(play: Play) -> Playbook:
    book = play(coins=("BTC",)).scene().run()
    assert book.hedge.state is HedgeState.HEDGED
    return book


def turned(book: Playbook) -> Decimal:
    """The venue turns all coins of the wallet into another asset; the third look makes it a fact."""
    coins = book.balance(f"venue:{kit.VENUE}:spot", "BTC")
    for _ in range(2):
        look(book, {"BTC": f"-{coins}", "BTC2": f"{coins * 1000}"})
    book >> reported(book, {"BTC": f"-{coins}", "BTC2": f"{coins * 1000}"}) << said("ledger.difference", asset="BTC")
    return coins


def test_the_coins_of_a_settled_perpetual_are_sold_although_it_trades_no_more(play: Play) -> None:
    book = held(play)
    settled(book) << said("position.taken", coin="BTC")
    book.feed(listed(spot=True, perp=False))
    book.wait(0.5).alive() >> Tick() << orders("sell spot 0.49")
    book.unmet.clear()


def test_they_are_sold_before_the_listing_says_so_and_without_a_quote_of_the_perpetual(play: Play) -> None:
    """A daemon that starts a moment before the end is told of neither."""
    book = held(play)
    settled(book)
    del book.state.market.quotes[kit.perp_id("BTC")]
    book.wait(0.5).feed(Tick())
    for feed in ("binance:spot", "binance:perp"):
        book.feed(FeedAlive(feed))
    assert [(order.instrument, order.side) for order in book.sent[-1:]] == [(kit.spot_id("BTC"), Side.SELL)]


def test_coins_that_nobody_buys_stay_a_hedge_of_which_the_owner_knows(play: Play) -> None:
    book = held(play)
    settled(book) << said("position.taken", coin="BTC")
    book >> listed(spot=False, perp=False) << said("market.closed", coin="BTC")
    book.wait(0.5).alive() >> Tick() << said("hedge.unbalanced", coin="BTC")
    book.run(20)
    assert (book.hedge.live, book.hedge.legs[1].quantity_base) == (True, 0)
    assert book.hedge.reason == TAKEN


def test_dust_of_a_coin_that_nobody_buys_is_no_hedge(play: Play) -> None:
    book = held(play)
    hedge = book.hedge
    settled(book)
    hedge.legs[0].quantity_base = D("0.00004")
    book.feed(listed(spot=False, perp=False))
    book.wait(0.5).alive() >> Tick() << said("hedge.closed", coin="BTC")
    assert not hedge.live


def test_a_renamed_coin_is_given_up_once_its_owner_accepts_it(play: Play) -> None:
    """It is not sold, and not booked away; it leaves like a withdrawal, without a loss."""
    book = held(play)
    hedge = book.hedge
    settled(book)
    book.feed(listed(spot=False, perp=False))
    coins, sent = turned(book), len(book.sent)
    book.run(10)
    assert (len(book.sent), hedge.legs[0].quantity_base) == (sent, coins)
    share, high = book.state.book.guards.drawdown.share, book.state.book.guards.drawdown.high_usd
    assert high is not None
    (
        book
        >> word(f"-{coins}", "BTC")
        << said("hedge.coins_gone", coin="BTC", quantity_base=coins)
        << said("ledger.accepted")
    )
    assert (hedge.legs[0].quantity_base, hedge.legs[0].cost_quote) == (0, 0)
    assert book.balance(f"venue:{kit.VENUE}:spot", "BTC") == 0
    book.wait(0.5).alive() >> Tick() << said("hedge.closed", coin="BTC") << silence()
    book.wait(2).alive().feed(Tick())
    assert book.state.book.guards.drawdown.share == pytest.approx(share, abs=D("1e-9"))
    assert book.state.book.guards.drawdown.high_usd < high
    book >> word(f"{coins * 1000}", "BTC2") << said("ledger.accepted", asset="BTC2")
    look(book, {})
    assert kit.VENUE not in book.state.book.unexplained


def test_the_perpetual_of_coins_that_are_gone_is_bought_back(play: Play) -> None:
    """It still trades. It stays until the owner has accepted that they are gone: it may hedge what they became."""
    book = held(play)
    size = -book.hedge.legs[1].quantity_base
    book.feed(listed(spot=False, perp=True))
    coins, sent = turned(book), len(book.sent)
    book.run(5)
    assert len(book.sent) == sent
    book >> word(f"-{coins}", "BTC") << said("hedge.coins_gone")
    book.wait(0.5).alive() >> Tick() << orders(f"buy perp {size.normalize()} reduce")
    book.unmet.clear()


def test_the_drawdown_is_measured_while_something_of_an_ended_market_is_held(play: Play) -> None:
    book = held(play)
    settled(book)
    book.feed(listed(spot=False, perp=False))
    worth = r05_drawdown.measure(book.state.book)
    assert worth is not None
    book.wait(600).feed(FeedAlive("binance:spot"))
    assert book.hedge.legs[0].quantity_base
    assert r05_drawdown.measure(book.state.book) is not None


def test_coins_of_markets_that_ended_while_nobody_listened_are_worth_what_their_perpetual_was_settled_at(
    play: Play,
) -> None:
    """The price in the books is older: what the perpetual lost to the venue would look like a loss of the book."""
    book = held(play)
    market, spot, perp = book.state.market, kit.spot_id("BTC"), kit.perp_id("BTC")
    worth, taken = r05_drawdown.measure(book.state.book), settlement(book)
    for name in (spot, perp):
        del market.quotes[name]
        market.marks[name] = Mark(name, D(60_000), D(60_000), D(0), 0)
    book.feed(listed(spot=False, perp=False))
    before = r05_drawdown.measure(book.state.book)
    book >> taken << saved(LastPrice, instrument=spot) << saved(LastPrice, instrument=perp)
    after = r05_drawdown.measure(book.state.book)
    assert worth is not None
    assert before is not None
    assert after is not None
    assert after[0] == pytest.approx(worth[0], rel=D("0.001"))
    assert before[0] == pytest.approx(worth[0], rel=D("0.001"))
    book.unmet.clear()


def test_a_price_that_is_told_is_better_than_one_at_which_the_venue_closed(play: Play) -> None:
    book = held(play)
    mark = book.state.market.marks[kit.perp_id("BTC")]
    settled(book)
    assert book.state.market.marks[kit.perp_id("BTC")] is mark
    book.unmet.clear()
