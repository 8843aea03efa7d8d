"""The owner of one seed: commands, edits of limits, money moved on the venue's page, and differences accepted."""

import asyncio
import contextlib
import dataclasses
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from bot.domain.config import CoreConfig
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
MISSPEAKS = 0.4
"""Of the amounts that the owner is to accept, those that are named wrongly at first."""


class Owner:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.tasks: set[asyncio.Task[None]] = set()
        self._halt_seen_s = self._asked_s = 0.0
        self._tempted = False
        self._words = Random(f"words:{world.plan.seed}")
        self._misspoke: set[tuple[str, str]] = set()
        """(wallet, asset) of which the owner first named another amount."""

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
                world.config = self._edited(command)
                limits, event = world.config.limits, Reconfigure(world.config)
        world.note(f"owner: {command.verb} {command.coin}")
        world.hurry_no_more()
        world.oracle.commanded(command.verb, (limits.per_coin_cap, limits.leverage_ceiling), command.coin)
        self._ask(event, command)

    def _edited(self, command: Command) -> CoreConfig:
        """A coin, or the whole book, is to be smaller, or a coin not opened; or all is as in the beginning."""
        plan, config = self.world.plan, self.world.config
        share = Decimal(f"{command.share or 1:.3f}")
        match command.verb:
            case "exclude" | "include":
                excluded = (command.coin,) if command.verb == "exclude" else ()
                return dataclasses.replace(config, universe=dataclasses.replace(config.universe, exclude=excluded))
            case "ceiling":
                limits = dataclasses.replace(config.limits, leverage_ceiling=plan.fullest * share)
            case "limits":
                limits = dataclasses.replace(config.limits, per_coin_cap=plan.per_coin_cap * share)
            case _:
                limits = dataclasses.replace(
                    config.limits, per_coin_cap=plan.per_coin_cap, leverage_ceiling=plan.ceiling
                )
        return dataclasses.replace(config, limits=limits)

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
            if found[:2] not in self._misspoke and self._words.random() < MISSPEAKS:
                self._misspoke.add(found[:2])
                found = (*found[:2], found[2] + 1)  # refused: it is not what came
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
