"""One perpetual whose mark is told no more while its feed lives: R5 goes on for the whole book."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook

from bot.domain.events import FeedAlive, Tick
from bot.domain.guards import Breach
from bot.risk.rules import r05_drawdown

D = Decimal
WIDE = replace(kit.config(()).limits, per_coin_cap=D("0.2"))


def without_btc(book: Playbook, seconds: float, basis: str = "1", *, alive: bool = True) -> None:
    """Time passes in which ETH's mark alone is told, at this share of its index."""
    for _ in range(int(seconds / 0.5)):
        book.wait(0.5)
        if alive:
            book.feed(FeedAlive("binance:spot"))
            book.feed(FeedAlive("binance:perp"))
        mark = kit.mark("ETH", next_ms=(book.market_ms // 28_800_000 + 1) * 28_800_000)
        book.feed(replace(mark, mark=mark.index * D(basis)))
        book >> Tick()
        book.unmet.clear()


def both(play: Play) -> Playbook:
    book = play(kit.config(("BTC", "ETH"), limits=WIDE), coins=("BTC", "ETH")).scene().run(60)
    assert {hedge.coin for hedge in book.state.book.live_hedges()} == {"BTC", "ETH"}
    return book


def test_what_the_others_lose_is_seen_once_it_is_no_gap_of_a_moment(play: Play) -> None:
    """A market that is halted, until the next hourly look at the listing."""
    book = both(play)
    without_btc(book, 6)
    without_btc(book, 10, "1.06")
    assert book.state.book.guards.drawdown.level is Breach.NONE, "it may come back at once, with another price"
    without_btc(book, book.config.limits.extreme.outage_s, "1.06")
    drawdown = book.state.book.guards.drawdown
    assert drawdown.share == pytest.approx(D("0.01"), abs=D("0.003"))
    assert drawdown.level is Breach.SOFT


def test_of_a_feed_that_is_silent_nothing_is_judged(play: Play) -> None:
    book = both(play)
    without_btc(book, book.config.limits.extreme.outage_s + 10, "1.06", alive=False)
    assert r05_drawdown.measure(book.state.book) is None
