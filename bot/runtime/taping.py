"""No tape: for sessions that nobody wants to replay."""

from collections.abc import Sequence

from bot.domain.actions import Action
from bot.domain.events import Event
from bot.domain.time import Stamp
from bot.engine.state import EngineState


class NoTape:
    """`ports.Tape` that keeps nothing."""

    def begin(self, state: EngineState) -> None:
        pass

    def record(self, event: Event, at: Stamp, actions: Sequence[Action] | None) -> None:
        pass

    def turn_ended(self, mono_ms: int) -> None:
        pass
