"""A hedge that is held and not listed: R5 goes on for the whole book, and its owner is told."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, said

from bot.domain.actions import Emit, LastPrice
from bot.domain.books import Books
from bot.domain.events import FeedAlive, Reconciled, Tick
from bot.domain.guards import Breach, Remembered
from bot.domain.valuation import nav_usd, own_coins_usd
from bot.engine.recovery import restore
from bot.risk.rules import r05_drawdown

D = Decimal
WIDE = replace(kit.config(()).limits, per_coin_cap=D("0.2"))


def restarted(play: Play) -> Playbook:
    """BTC and ETH are held for a fifth of NAV each; since the restart the venue lists ETH alone."""
    book = play(kit.config(("BTC", "ETH"), limits=WIDE), coins=("BTC", "ETH")).scene().run(60)
    hedges = book.state.book.live_hedges()
    assert {hedge.coin for hedge in hedges} == {"BTC", "ETH"}
    high_usd = book.state.book.guards.drawdown.high_usd
    assert high_usd is not None
    books = Books(
        epoch=2,
        hedges=list(hedges),
        balances=dict(book.state.ledger.balances),
        remembered=[Remembered("R5", "", "high", high_usd, book.market_ms)],
        prices=[
            LastPrice(leg.instrument, kit.PRICES[hedge.coin], book.market_ms)
            for hedge in hedges
            for leg in hedge.legs
        ],
    )
    again = play(kit.config(("ETH",), limits=WIDE), coins=("ETH",), state=restore(books, book.config))
    again.market_ms, again.mono_ms = book.market_ms, book.mono_ms
    return again


def listed(play: Play) -> Playbook:
    book = restarted(play)
    book.feed(kit.listing(("ETH",)))
    for quote in kit.quotes("ETH"):
        book.feed(quote)
    book.alive()
    book.feed(Reconciled(kit.VENUE))
    return book


def test_what_the_others_lose_is_seen(play: Play) -> None:
    book = listed(play)
    book.feed(Tick())
    assert book.state.book.guards.drawdown.share < D("0.002"), "it is worth what it was"
    for _ in range(8):
        book.wait(0.5).alive()
        mark = book.state.market.marks[kit.perp_id("ETH")]
        book.feed(replace(mark, mark=mark.index * D("1.06")))
        book >> Tick()
        book.unmet.clear()
    drawdown = book.state.book.guards.drawdown
    assert drawdown.share == pytest.approx(D("0.01"), abs=D("0.003"))
    assert drawdown.level is Breach.SOFT


def test_its_coins_are_a_part_of_nav(play: Play) -> None:
    """They counted as nothing: NAV was less by a fifth, and R2 trimmed the others, which were within their caps."""
    book = listed(play)
    assert nav_usd(book.state.book) == pytest.approx(D(1_000_000), rel=D("0.005"))
    held = book.hedge_of("ETH").target_base
    for _ in range(8):
        book.wait(0.5).alive() >> Tick()
        book.unmet.clear()
    assert book.hedge_of("ETH").target_base == held


def test_it_takes_the_others_no_capital_twice(play: Play) -> None:
    """Its coins counted as the owner's own beside what the hedge ties up."""
    book = listed(play)
    assert own_coins_usd(book.state.book) < 100


def test_its_owner_is_told_once(play: Play) -> None:
    book = listed(play)
    book >> Tick() << said("hedge.unlisted", coin="BTC", instrument=kit.spot_id("BTC"))
    book.unmet.clear()
    for _ in range(8):
        book.wait(0.5).alive()
        again = book.feed(Tick())
        assert not any(isinstance(action, Emit) and action.name == "hedge.unlisted" for action in again)


def test_before_anything_is_listed_nothing_is_judged(play: Play) -> None:
    book = restarted(play)
    book.feed(FeedAlive("binance:perp"))
    book.feed(Tick())
    assert r05_drawdown.measure(book.state.book) is None
