"""The right to send: held while the books confirm, again and again, that no newer daemon has taken them over.

A process can be frozen (SIGSTOP, a paused machine, a stuck disk) and wake after another one has taken over. Its clock
then shows that nothing was confirmed for longer than the lease lasts, and nothing is signed until the books have been
asked again. The numbers fit together: a request is signed at most `LEASE_MS` after a confirmation and the venue
refuses it `RECV_WINDOW` (5 s) after its stamp, while a new daemon waits `lock.STALE_S` before it takes over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bot.domain.actions import Persist
from bot.ports import StoreError, TakenOverError
from bot.runtime.vitals import Vitals

LEASE_MS = 5_000
EVERY_S = 1.0
TASK = "lease"

Commit = Callable[[Sequence[Persist]], Awaitable[None]]
"""At least one record, durable and in the newest epoch when it returns."""


class Lease:
    """`confirm` asks the books; StoreError, or TakenOverError when they are ours no longer."""

    def __init__(self, mono_ms: Callable[[], int], confirm: Callable[[], Awaitable[None]]) -> None:
        self._mono_ms = mono_ms
        self._confirm = confirm
        self._confirmed_ms: int | None = None

    def refusal(self) -> str | None:
        """Why nothing that changes the account may be signed now; None when it may."""
        if self._confirmed_ms is None:
            return "the books have not confirmed this daemon yet"
        age_ms = self._mono_ms() - self._confirmed_ms
        if age_ms <= LEASE_MS:
            return None
        return f"the books have not confirmed this daemon for {age_ms / 1000:.1f} s"

    def proving(self, commit: Commit) -> Commit:
        """The same commit, which confirms as it checks the epoch. Where one takes seconds, the question of `keep` has
        waited behind it, and what was just committed could not be sent."""

        async def committed(records: Sequence[Persist]) -> None:
            began_ms = self._mono_ms()
            await commit(records)
            self._confirm_since(began_ms)

        return committed

    def _confirm_since(self, began_ms: int) -> None:
        self._confirmed_ms = max(began_ms, self._confirmed_ms or began_ms)

    async def keep(self, vitals: Vitals) -> None:
        """Until cancelled. Raises TakenOverError alone: a database that refuses is the consumer's to tell."""
        vitals.watch(TASK)
        while True:
            began_ms = self._mono_ms()
            try:
                await self._confirm()
            except TakenOverError:
                raise
            except StoreError:
                pass
            else:
                self._confirm_since(began_ms)
            vitals.beat(TASK)
            await asyncio.sleep(EVERY_S)
