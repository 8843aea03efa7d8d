"""Planted bugs of what the owner is told, and of what keeps entries out."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bot.domain.actions import Severity
from bot.domain.hedges import HedgeState
from bot.domain.windows import PriceWindow
from bot.engine import guarding, money, recovery
from bot.engine.state import Actions
from bot.risk.rules import r01_negative_funding, r06_extreme
from bot.runtime import daemon
from bot.runtime.notices import Notices
from tests.campaign.planted.catalogue import planted, put


@planted("alarms are critical")
def alarms_told_softly(stack: ExitStack) -> None:
    put(stack, Actions, "critical", Actions.info)


@planted("the owner is told of an extreme event")
def extreme_untold(stack: ExitStack) -> None:
    _untold(stack, "extreme.began")


@planted("the owner is told of a loan that is wanted back")
def recall_untold(stack: ExitStack) -> None:
    _untold(stack, "loan.recalled")


@planted("the owner is told of a position that the venue closed")
def taken_untold(stack: ExitStack) -> None:
    _untold(stack, "position.taken")


@planted("alarms are kept beside the books")
def alarms_not_kept(stack: ExitStack) -> None:
    keep = Notices.alert_for

    def warnings_alone(self: Any, emit: Any, at: Any) -> Any:
        return None if emit.severity is Severity.CRITICAL else keep(self, emit, at)

    put(stack, Notices, "alert_for", warnings_alone)


@planted("what the venue took stays out for a while")
def taken_returns_at_once(stack: ExitStack) -> None:
    remove = r01_negative_funding.remove

    def all_but_taken(removal: Any, at_ms: int, reason: str) -> None:
        if reason != money.TAKEN:
            remove(removal, at_ms, reason)

    put(stack, r01_negative_funding, "remove", all_but_taken)


@planted("an extreme event lasts over a restart")
def extreme_forgotten(stack: ExitStack) -> None:
    restore = guarding.restore

    def calm(books: Any, guards: Any) -> None:
        restore(books, guards)
        guards.extreme.active = False

    put(stack, guarding, "restore", calm)


@planted("what is bad for a short perpetual is good for a long one")
def days_of_one_direction(stack: ExitStack) -> None:
    count = r01_negative_funding.count

    def unsigned(removal: Any, rate: Any, limits: Any) -> Any:
        return count(removal, replace(rate, rate=removal.direction * rate.rate), limits)

    put(stack, r01_negative_funding, "count", unsigned)


@planted("an extreme event cuts a hedge once")
def cut_again(stack: ExitStack) -> None:
    forced = r06_extreme.forced

    def each_time(book: Any, hedge: Any) -> Any:
        book.guards.extreme.cut.pop(hedge.id, None)
        return forced(book, hedge)

    put(stack, r06_extreme, "forced", each_time)


@planted("a core coin that falls is an extreme event like one that rises")
def falls_unseen(stack: ExitStack) -> None:
    def risen(self: Any, price: float) -> float:
        return price / min(part[1] for part in self.parts) - 1

    put(stack, PriceWindow, "move", risen)


@planted("a hedge that waits for the outcome of an order is found by the next daemon")
def quarantined_forgotten(stack: ExitStack) -> None:
    restore = recovery.restore

    def others(books: Any, config: Any) -> Any:
        books.hedges = [hedge for hedge in books.hedges if hedge.state is not HedgeState.QUARANTINED]
        return restore(books, config)

    put(stack, daemon, "restore", others)


def _untold(stack: ExitStack, name: str) -> None:
    critical = Actions.critical

    def all_but(self: Any, said: str, **fields: Any) -> None:
        if said != name:
            critical(self, said, **fields)

    put(stack, Actions, "critical", all_but)
