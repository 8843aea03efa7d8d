"""Planted bugs of the single writer, of request limits and of secrets."""

from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.engine import hedging
from bot.runtime.consumer import Consumer
from bot.store.database import SqlStore
from bot.venues.binance import gate, liquidity, outcomes, rest
from tests.campaign.planted.catalogue import planted, put

ZERO = Decimal(0)


@planted("an older daemon's commits fail")
def epoch_ignored(stack: ExitStack) -> None:
    load = SqlStore.load

    async def unfenced(self: SqlStore) -> Any:
        books = await load(self)
        self._epoch = None
        return books

    put(stack, SqlStore, "load", unfenced)


@planted("client ids carry the writer's epoch")
def ids_without_epoch(stack: ExitStack) -> None:
    intent = hedging._intent

    def plain(state: Any, hedge: Any, position: int, draft: Any) -> Any:
        made = intent(state, hedge, position, draft)
        return replace(made, client_id="cb1-" + made.client_id.split("-", 1)[1])

    put(stack, hedging, "_intent", plain)


@planted("what opens does not leave after a slow commit")
def slow_commit_ignored(stack: ExitStack) -> None:
    put(stack, Consumer, "_too_late", lambda self, action, decided_mono_ms: False)


@planted("nothing is sent before a Retry-After has passed")
def retry_after_ignored(stack: ExitStack) -> None:
    put(stack, gate.WeightBudget, "observe", lambda self, headers, status, message="": None)


@planted("request weight for closing orders is reserved")
def closing_weight_not_reserved(stack: ExitStack) -> None:
    pause = gate.WeightBudget.pause_s
    put(stack, gate.WeightBudget, "pause_s", lambda self, share: pause(self, gate.WEIGHT_SHARE_ALL))


@planted("no secret in errors, logs and books")
def secret_in_errors(stack: ExitStack) -> None:
    async def telling(self: Any, instance: Any, endpoint: str, params: Any) -> Any:
        try:
            return await getattr(instance, endpoint)(dict(params or {}))
        except rest.ccxt.BaseError as error:
            raise outcomes.NoAnswerError(str(error)) from None

    put(stack, rest.BinanceRest, "_call", telling)


@planted("request weight counts on each of the APIs")
def loan_weight_unread(stack: ExitStack) -> None:
    observe = gate.WeightBudget.observe

    def of_two(self: Any, headers: Any, status: int) -> None:
        observe(self, {name: text for name, text in headers.items() if "sapi" not in name}, status)

    put(stack, gate.WeightBudget, "observe", of_two)


@planted("a slice goes by the thinner side of a book")
def thicker_side_counts(stack: ExitStack) -> None:
    def thicker(book: Any) -> float:
        sides = [[(float(price), float(size)) for price, size in book[side]] for side in ("bids", "asks")]
        mid = (sides[0][0][0] + sides[1][0][0]) / 2
        near = (
            [price * size for price, size in side if abs(price / mid - 1) <= liquidity.DEPTH_BAND] for side in sides
        )
        return max(map(sum, near))

    put(stack, liquidity, "depth_usd", thicker)
