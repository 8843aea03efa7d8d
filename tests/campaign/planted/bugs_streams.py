"""Planted bugs of the connections and of what comes through them."""

from contextlib import ExitStack
from typing import Any

from bot.venues.binance import streams, user_lines
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.sequence import Newest
from tests.campaign.planted.catalogue import planted, put


@planted("an older quote does not replace a newer one")
def older_quotes_win(stack: ExitStack) -> None:
    put(stack, Newest, "admits", lambda self, symbol, number: True)


@planted("after a malformed frame the next one is read")
def malformed_frame_ends_reading(stack: ExitStack) -> None:
    read = streams._Life.read

    async def once(self: Any) -> None:
        take = self._line.on_frame
        bad: list[DecodeError] = []

        def note(frame: bytes) -> None:
            try:
                take(frame)
            except DecodeError as error:
                bad.append(error)
                raise streams.ConnectionLostError("malformed") from None

        self._line.on_frame = note
        try:
            await read(self)
        except streams.ConnectionLostError:
            if not bad:
                raise
        finally:
            self._line.on_frame = take

    put(stack, streams._Life, "read", once)


@planted("each malformed frame is complained of")
def malformed_frames_unnoticed(stack: ExitStack) -> None:
    put(stack, streams.Complaints, "malformed", lambda self, line_name, frame, error: None)


@planted("a reconnect subscribes again")
def no_second_subscription(stack: ExitStack) -> None:
    subscribe, subscribed = user_lines.UserLines._subscribe, set[int]()

    async def once(self: Any, socket: Any) -> None:
        if id(self) not in subscribed:
            await subscribe(self, socket)
            subscribed.add(id(self))

    put(stack, user_lines.UserLines, "_subscribe", once)


@planted("a lost line is told")
def lost_line_untold(stack: ExitStack) -> None:
    put(stack, streams.FeedPulse, "lost", lambda self, line, reason: None)


@planted("a connection without pongs is given up")
def half_open_for_ever(stack: ExitStack) -> None:
    put(stack, streams, "PONG_WITHIN_S", 1e9)
