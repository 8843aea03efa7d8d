"""The inbox: what coalesces, what keeps its order, what happens when there is no room."""

import asyncio

import pytest
from quiet_venue import PERP, SPOT, quote

from bot.domain.events import FeedAlive, FeedLost, Halt, OrderNotFound, Tick
from bot.runtime import inbox as inboxes
from bot.runtime.inbox import Inbox, Ticket


def taken(inbox: Inbox) -> list[object]:
    found = []
    while (event := inbox.take()) is not None:
        found.append(event.event if isinstance(event, Ticket) else event)
    return found


def test_a_newer_quote_takes_the_older_ones_place() -> None:
    inbox = Inbox()
    for price in (1000, 2000, 3000):
        inbox.put(quote(SPOT, price))
    inbox.put(quote(PERP, 10))
    inbox.put(quote(SPOT, 4000))
    assert taken(inbox) == [quote(SPOT, 4000), quote(PERP, 10)]
    assert inbox.coalesced == 3


def test_account_events_keep_their_order_and_go_first() -> None:
    inbox = Inbox()
    inbox.put(quote(SPOT))
    inbox.put(OrderNotFound("a", 1))
    inbox.put(OrderNotFound("b", 1))
    inbox.put(OrderNotFound("a", 1))
    assert taken(inbox) == [OrderNotFound("a", 1), OrderNotFound("b", 1), OrderNotFound("a", 1), quote(SPOT)]


def test_a_quote_from_before_the_loss_of_its_feed_stays_before_it() -> None:
    inbox = Inbox()
    inbox.put(quote(SPOT, 1000))
    inbox.put(FeedAlive("toy:spot"))
    inbox.put(FeedLost("toy:spot", "reset"))
    inbox.put(quote(SPOT, 2000))
    assert taken(inbox) == [
        quote(SPOT, 1000),
        FeedAlive("toy:spot"),
        FeedLost("toy:spot", "reset"),
        quote(SPOT, 2000),
    ]


def test_it_is_known_when_the_newest_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100]
    monkeypatch.setattr(inboxes, "mono_ms", lambda: now[0])
    inbox = Inbox()
    inbox.put(quote(SPOT, 1000))
    now[0] = 200
    inbox.put(quote(SPOT, 2000))
    inbox.put(Halt("x"))
    inbox.put(FeedAlive("toy:perp"))
    now[0] = 300
    inbox.put(FeedLost("toy:perp", "reset"))
    found = []
    while (event := inbox.take()) is not None:
        found.append((event, inbox.heard_ms))
    assert found == [
        (Halt("x"), None),
        (quote(SPOT, 2000), 200),
        (FeedAlive("toy:perp"), 200),
        (FeedLost("toy:perp", "reset"), None),
    ]


def test_ticks_and_signs_of_life_do_not_pile_up() -> None:
    inbox = Inbox()
    for _ in range(1000):
        inbox.put(Tick())
        inbox.put(FeedAlive("toy:spot"))
    assert len(inbox) == 2


def test_without_room_events_are_refused_and_counted_never_silently_lost() -> None:
    inbox = Inbox(kept_max=2, subjects_max=1)
    for number in range(5):
        inbox.put(OrderNotFound(str(number), 1))
    inbox.put(quote(SPOT))
    inbox.put(quote(PERP))
    assert inbox.take_refused() == 4
    assert inbox.take_refused() == 0
    assert taken(inbox) == [OrderNotFound("0", 1), OrderNotFound("1", 1), quote(SPOT)]


async def test_a_question_to_a_full_inbox_fails_at_once() -> None:
    inbox = Inbox(kept_max=1)
    inbox.put(OrderNotFound("a", 1))
    with pytest.raises(BufferError):
        await inbox.ask(Halt("x"))


async def test_waiting_ends_with_the_first_event_and_not_before() -> None:
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.wait())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    inbox.put(Tick())
    await asyncio.wait_for(waiting, 0.1)
    await asyncio.wait_for(inbox.wait(), 0.1)


async def test_nothing_to_do_is_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader shows that it lives also while nothing comes: during a ban at the start, for hours."""
    monkeypatch.setattr(inboxes, "IDLE_S", 0.01)
    inbox = Inbox()
    await asyncio.wait_for(inbox.wait(), 1.0)
    assert inbox.take() is None
