"""The owner of one seed: commands, edits of limits, money moved on the venue's page, and differences accepted."""

import asyncio
import contextlib
import dataclasses
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.config import Limits
from bot.domain.events import AcceptDifference, CloseCoin, Event, Flatten, Halt, Readmit, Reconfigure, Resume
from bot.simulator.model import VenueError
from tests.campaign.answers import KEY
from tests.campaign.commands import Command
from tests.campaign.life import VENUE

if TYPE_CHECKING:
    from tests.campaign.world import World

LOOKS_S = 8.0
REASON = "the campaign's owner"
ACCEPT = "accept"


class Owner:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.tasks: set[asyncio.Task[None]] = set()
        self._halt_seen_s = self._asked_s = 0.0
        self._tempted = False

    def gives(self, command: Command) -> None:
        world = self.world
        if command.verb in ("deposit", "withdraw"):
            self._move_capital(command)
            return
        limits = world.config.limits
        match command.verb:
            case "close":
                event: Event = CloseCoin(command.coin, REASON)
            case "readmit":
                event = Readmit(command.coin, REASON)
            case "halt":
                event = Halt(REASON)
            case "flatten":
                event = Flatten(REASON)
            case "resume":
                event = Resume(REASON)
            case _:
                limits = self._edited(command)
                world.config = dataclasses.replace(world.config, limits=limits)
                event = Reconfigure(world.config)
        world.note(f"owner: {command.verb} {command.coin}")
        world.hurry_no_more()
        world.oracle.commanded(command.verb, (limits.per_coin_cap, limits.leverage_ceiling), command.coin)
        self._ask(event, command)

    def _edited(self, command: Command) -> Limits:
        """The limits by which a coin, or the whole book, is to be smaller; or those of the beginning again."""
        plan, limits = self.world.plan, self.world.config.limits
        share = Decimal(f"{command.share or 1:.3f}")
        if command.verb == "ceiling":
            return dataclasses.replace(limits, leverage_ceiling=plan.fullest * share)
        if command.verb == "limits":
            return dataclasses.replace(limits, per_coin_cap=plan.per_coin_cap * share)
        return dataclasses.replace(limits, per_coin_cap=plan.per_coin_cap, leverage_ceiling=plan.ceiling)

    def _move_capital(self, command: Command) -> None:
        """A deposit or a withdrawal on the venue's own page; the venue keeps a record of it."""
        usd = (self.world.plan.cash * Decimal(f"{command.share:.6f}")).quantize(Decimal("0.01"))
        self.world.note(f"owner: {command.verb} {usd}")
        sign, fee = (1, Decimal(0)) if command.verb == "deposit" else (-1, Decimal(1))
        with contextlib.suppress(VenueError):  # what is in use cannot be withdrawn
            self.world.wire.sim.move_capital(KEY, "USDT", sign * usd, fee, told=True)

    def looks(self) -> None:
        """Whatever halted the daemon by itself may go on after a while; what nobody explains is accepted."""
        world, oracle = self.world, self.world.oracle
        now_s, running = world.loop.now_s, world.life.running
        if oracle.control != "halted" or oracle.halted_s is not None or not running:
            self._halt_seen_s = now_s
        elif now_s - self._halt_seen_s > LOOKS_S:
            self._halt_seen_s = now_s
            self.gives(Command(0, "resume"))
        if oracle.alarm_stands() and running and not self.tasks and not self._tempted:
            self._tempted = True
            self.gives(Command(0, "limits_back"))  # there is room again, and a reason to decide
        elif not oracle.alarm_stands():
            self._tempted = False
        found = oracle.to_be_accepted(now_s - LOOKS_S)
        if found is not None and running and not self.tasks and now_s - self._asked_s > LOOKS_S:
            self._asked_s = now_s
            world.note(f"owner: accept {found}")
            self._ask(AcceptDifference(VENUE, *found, REASON), Command(0, ACCEPT))

    def _ask(self, event: Event, command: Command) -> None:
        world, life = self.world, self.world.life

        async def asking() -> None:
            try:
                await life.daemon.ask(event)
            except asyncio.CancelledError:
                if command.verb != ACCEPT:
                    world.commands.insert(0, command)  # the daemon died over it: its owner asks the next one
                raise
            if life.daemon.store_error is None:
                world.oracle.obeyed(command.verb, command.coin)
            elif command.verb != ACCEPT:
                world.commands.insert(0, command)  # in force, but not written down: said again until it is

        task = world.loop.create_task(asking())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
