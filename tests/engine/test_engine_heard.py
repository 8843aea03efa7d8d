"""Freshness begins when something was heard, not when it is handled: R11 after a commit that took seconds."""

import market_kit as kit
import pytest
from playbook import Play, orders, saved, silence

from bot.domain.actions import VerdictGiven
from bot.domain.events import Event, FeedAlive, Tick
from bot.domain.time import HOUR_MS, Stamp
from bot.engine.core import step


@pytest.mark.parametrize("late", ["marks", "feeds", ""])
def test_what_was_heard_long_ago_is_not_fresh_when_it_is_handled(play: Play, late: str) -> None:
    book = play().scene()
    book.wait(6)
    next_ms = (book.market_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS
    heard: dict[str, list[Event]] = {
        "feeds": [FeedAlive("binance:spot"), FeedAlive("binance:perp")],
        "marks": [kit.mark("BTC", None, rate=book.rate, next_ms=next_ms)],
    }
    for what, events in heard.items():
        for event in events:
            book.seq += 1
            heard_ms = book.mono_ms - 5_500 if what == late else None
            step(book.state, event, Stamp(book.seq, book.market_ms, book.mono_ms, heard_ms))
    if late:  # the line may have died meanwhile
        book >> Tick() << saved(VerdictGiven, verdict__rule="R11", verdict__observed="5.5") << silence()
    else:
        book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.unmet.clear()
