"""The world of one seed: venue, market, streams, books, daemons, owner and whatever the plan does to them."""

import asyncio
import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from random import Random

from bot.domain.config import CoreConfig, Execution, ExtremeLimits, Limits
from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Book
from tests.campaign.answers import KEY
from tests.campaign.clockwork import VirtualLoop
from tests.campaign.commands import Command
from tests.campaign.disk import Disk
from tests.campaign.ends import Ends
from tests.campaign.faults import CALL, HOUR, MARKET_KINDS, Fault
from tests.campaign.hands import Hands
from tests.campaign.life import VENUE, Life
from tests.campaign.lines import unheard
from tests.campaign.market import CORE, GRID_MS, HOUR_MS, START_MS, CampaignMarket
from tests.campaign.mischief import STRIKE, strike
from tests.campaign.oracle import Oracle
from tests.campaign.owner import Owner
from tests.campaign.plans import Plan
from tests.campaign.store import Database
from tests.campaign.streams import Streams
from tests.campaign.wire import Wire

SLOW_SPEED = 60.0
"""Market time per wall time while orders or a gap are open; the plan has the other speeds."""
COARSE_STEP_S, SLOW_STEP_S = 0.5, 0.25
CRAWL_SPEED, CRAWL_MS = 20.0, 40_000
"""So fast, and for so long before and after it, does a core coin jump: rule R6 looks at what moves within minutes."""
SLOW_AFTER_ORDER_S = 1.5
SETTLE_S = 150.0
STOP_S = 15.0
YOUNG_S, AFTER_PRESSURE_S = 10.0, 31.0
"""In a frozen market no settlement may pass while a daemon recovers, nor before it may open: books are compared."""
LATE_IN_MINUTE_S = 48
"""Used weight counts until its minute is over: pressed at its beginning, days of market time would pass unused."""
YOUNG_MS = 48 * HOUR_MS
WALL_S_MAX = 1_500.0


class World:
    def __init__(
        self, plan: Plan, loop: VirtualLoop, *, verbose: bool = False, database: Database | None = None
    ) -> None:
        self.plan = plan
        self.verbose = verbose
        self.loop = loop
        self.dice = Random(f"world:{plan.seed}")
        self.market_ms = float(START_MS)
        self.speed = SLOW_SPEED
        self._advanced_s = loop.now_s
        self.slow_until_s = loop.now_s + 5.0
        self.market = CampaignMarket(Random(f"market:{plan.seed}"), plan.shapes, plan.days + 1, frozen=plan.frozen)
        self.database = Database() if database is None else database
        spot = {"USDT": plan.cash, **plan.own_coins}
        accounts = {KEY: {Book.SPOT: spot, Book.PERP: {"USDT": Decimal(0)}}}
        if plan.young:
            young = self.market.coins[plan.young].perp
            self.market.relist(dataclasses.replace(young, listed_ms=START_MS - YOUNG_MS))
        self.exchange = Exchange(self.market, accounts, START_MS, plan.seed, look_ms=HOUR_MS // 4)
        self.config = config_of(plan)
        self.fired_kinds: Counter[str] = Counter()
        self.log: list[str] = []
        self.waiting: dict[str, list[Fault]] = defaultdict(list)
        for fault in plan.faults:
            self.plant(fault)
        for waiting in self.waiting.values():
            waiting.sort(key=lambda fault: fault.at)
        self.commands = list(plan.commands)
        self._jumps_ms = core_jumps_ms(plan)
        self.oracle = Oracle(self)
        self.wire = Wire(self, self.exchange)
        self.streams = Streams(self)
        self.lives: list[Life] = []
        self._restarts: set[int] = set()
        self.calm = False
        self.deadly_quarantine: Fault | None = None
        """A hedge that waits for the outcome of an order is the end of its daemon."""
        self.disk = Disk(self)
        self.ends = Ends(self)
        self.owner = Owner(self)
        self.hands = Hands(self)
        self.faulty_until_s = 0.0
        """Until when something of what was done to the daemon is still being done."""

    # -- the run --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self.new_life()
        end_ms = START_MS + self.plan.days * 24 * HOUR_MS
        began_s = self.loop.now_s
        while self.market_ms < end_ms:
            await self._step()
            if self.loop.now_s - began_s > WALL_S_MAX:
                self.oracle.violation(0, f"the run did not end within {WALL_S_MAX:.0f} s of wall time")
                break
        await self._finale()

    async def _step(self) -> None:
        young = self.plan.frozen and self._recovering()
        while self._jumps_ms and self._jumps_ms[0] + CRAWL_MS < self.market_ms:
            del self._jumps_ms[0]
        crawls = bool(self._jumps_ms) and self._jumps_ms[0] - CRAWL_MS < self.market_ms
        slow = self.calm or self.oracle.restless() or young or crawls
        middle = self.loop.now_s < self.slow_until_s or bool(self.oracle.moving)
        slowest = CRAWL_SPEED if crawls else SLOW_SPEED
        self.speed = slowest if slow else self.plan.middle_speed if middle else self.plan.coarse_speed
        if not slow:  # not past the next command or jump, nor past the end: each comes at its own hour
            until_h = min((command.hour for command in self.commands), default=self.plan.days * 24)
            until_h = min([until_h, *((at_ms - CRAWL_MS - START_MS) / HOUR_MS for at_ms in self._jumps_ms[:1])])
            left_s = (until_h - (self.market_ms - START_MS) / HOUR_MS) * 3_600
            self.speed = min(self.speed, max(SLOW_SPEED, left_s / COARSE_STEP_S + SLOW_SPEED))
        await asyncio.sleep(SLOW_STEP_S if slow else COARSE_STEP_S)
        self.step_venue()
        hour = (self.market_ms - START_MS) / HOUR_MS
        for fault in list(self._due(HOUR, hour)):
            if fault.kind == "weight_pressure" and self.loop.wall_s() % 60 < LATE_IN_MINUTE_S:
                self.plant(fault)
            else:
                strike(self, fault)
        self.owner.looks()
        self.hands.step(hour)
        if self.commands and self.commands[0].hour <= hour and self.life.running and not self.owner.tasks:
            self.owner.gives(self.commands.pop(0))
        for fault in self.plan.faults:
            if fault.kind in MARKET_KINDS and fault.at <= hour and fault not in self._told:
                self._told.add(fault)  # of the market, and nothing that is done to the daemon
                self.fired_kinds[fault.kind] += 1
                self.note(f"fault {fault.kind}")
                self.slow(1.5)
        self.streams.tick()
        self.oracle.tick()

    def _recovering(self) -> bool:
        """Whether this life may not open yet, or has had no time to: what is refused is tried again after a pause."""
        if self.life.pressed:
            self._pressed_s = self.loop.now_s
        young = self.loop.now_s - self._born_s < YOUNG_S or not self.life.informed
        return young or self.loop.now_s - self._pressed_s < AFTER_PRESSURE_S

    _told: set[Fault]

    def step_venue(self) -> None:
        """Market time goes on to this moment."""
        now_s = self.loop.now_s
        if now_s > self._advanced_s:
            self.market_ms += (now_s - self._advanced_s) * self.speed * 1000
            self._advanced_s = now_s
            self.wire.sim.step()
            self.ends.step()

    @property
    def life(self) -> Life:
        return self.lives[-1]

    def new_life(self) -> None:
        self._told = getattr(self, "_told", set())
        self.lives.append(Life(self, len(self.lives) + 1))
        self._born_s, self._pressed_s = self.loop.now_s, -AFTER_PRESSURE_S
        self.slow(2.0)

    def slow(self, seconds: float) -> None:
        self.slow_until_s = max(self.slow_until_s, self.loop.now_s + seconds)

    def hurry_no_more(self) -> None:
        """The owner has given a command: what follows from it deserves a closer look."""
        self.speed = min(self.speed, self.plan.middle_speed)
        self.slow(2.0)

    def trouble(self, seconds: float) -> None:
        """Something is being done to the daemon for so long; the oracle is patient meanwhile."""
        self.patient(seconds)
        self.slow(seconds + 1.0)

    def patient(self, seconds: float) -> None:
        """It may still have to do with what was done to it for so long."""
        self.faulty_until_s = max(self.faulty_until_s, self.loop.now_s + seconds)

    # -- faults ---------------------------------------------------------------------------------------------

    def plant(self, fault: Fault) -> None:
        if fault.kind not in MARKET_KINDS and fault.kind != "crash_after_start" and not getattr(self, "calm", False):
            self.waiting[fault.on].insert(0, fault)

    def fired(self, kind: str) -> None:
        self.fired_kinds[kind] += 1
        self.trouble(0.5)
        self.note(f"fault {kind}")

    def note(self, text: str) -> None:
        hour = (self.market_ms - START_MS) / HOUR_MS
        self.log.append(f"{self.loop.now_s - 1000:9.3f} s  {hour:7.3f} h  {text}")

    def _due(self, on: str, at: float, kinds: tuple[str, ...] = ()) -> Iterator[Fault]:
        waiting = self.waiting.get(on)
        while waiting:
            found = next((f for f in waiting if f.at <= at and (not kinds or f.kind in kinds)), None)
            if found is None or self.calm:
                return
            waiting.remove(found)
            yield found

    def struck(self, on: str, number: int, *kinds: str) -> list[Fault]:
        """The fault that strikes the n-th request of a sort, if one does; at most one a request."""
        for fault in self._due(on, number, kinds):
            if fault.kind in STRIKE:
                strike(self, fault)
                continue
            self.fired(fault.kind)
            self.trouble(min(fault.size, 12.0) + 1.0)
            self.log[-1] += f"  ({fault})"
            return [fault]
        return []

    def kill(self, life: Life, pause_s: float) -> None:
        """SIGKILL, and a new daemon some time later."""
        if life.dead or life.ended is not None or life is not self.life:
            return
        self.note(f"daemon {life.number} is killed")
        self.step_venue()
        self.speed = min(self.speed, self.plan.middle_speed)
        life.kill()
        for task in self.owner.tasks:
            task.cancel()
        self.oracle.killed(life)
        self.trouble(pause_s + 3.0)
        self.loop.call_later(pause_s, self._revive)

    def dies_in_quarantine(self) -> None:
        """It has just written down that a hedge waits for the outcome of an order."""
        fault, self.deadly_quarantine = self.deadly_quarantine, None
        if fault is not None and not self.calm:
            self.fired(fault.kind)
            self.loop.call_soon(self.kill, self.life, fault.size)

    def _revive(self) -> None:
        if self.life.dead or self.life.ended is not None:
            self.new_life()
            self.note(f"daemon {self.life.number} starts")
            for fault in [one for one in self.plan.faults if one.kind == "crash_after_start"]:
                if len(self.lives) == 2:
                    self.plant(Fault("crash_at_call", CALL, self.wire.counts[CALL] + fault.at, fault.how, fault.size))

    def second_daemon(self, seconds: float) -> None:
        """Another daemon takes over the books while the first still runs; it is killed a little later."""
        first = self.life
        self.new_life()
        self.trouble(seconds + 5.0)

        def end() -> None:
            first.kill()
            self.oracle.killed(first)

        self.loop.call_later(seconds, end)

    def restart(self) -> bool:
        """SIGTERM, and a new daemon some time after the old one has ended; False where none runs."""
        if not self.life.running:
            return False
        self.note(f"daemon {self.life.number} is to stop")
        self.life.stop.set()
        self._restarts.add(self.life.number)
        self.oracle.stops_s = self.loop.now_s
        return True

    def life_ended(self, life: Life) -> None:
        """A daemon ended by itself; whoever supervises it starts it again."""
        self.note(f"daemon {life.number} ended: {life.ended}")
        if life is not self.life:
            life.dead = True  # a newer daemon has taken over: ending is what it should do
            return
        if life.ended is not None and not life.ended.startswith(("unreachable", "stopped")):
            self.oracle.violation(20, f"the daemon ended: {life.ended}")
        if life.ended != "stopped" or life.number in self._restarts:
            life.dead = True
            self.oracle.killed(life)
            self.trouble(5.0)
            self.loop.call_later(2.0, self._revive)

    # -- the end --------------------------------------------------------------------------------------------

    async def _finale(self) -> None:
        """No more faults: the daemon has some time to put everything in order, then it is stopped and audited."""
        self.note("calm")
        self.disk.calm()
        self.calm = True
        self.wire.down_until_s = self.wire.no_route_until_s = 0.0
        self.wire.pressure_until_s = min(self.wire.pressure_until_s, self.loop.now_s)
        self.wire.hidden.clear()
        self.wire.lender.calm()
        self.ends.calm()
        self.hands.calm()
        self.wire.unanswered.calm()
        self.wire.trades_lag, self.wire.receipts_hidden, self.wire.stale_until_s = (0.0, 0), (0.0, 0, ""), 0.0
        self.loop.wall_offset_s = 0.0
        self.streams.calm()
        until_s = self.loop.now_s + SETTLE_S
        asked = False
        while self.loop.now_s < until_s:
            for _ in range(5):
                await self._step()
            if self.life.running and not asked:
                asked = True
                verb = "flatten" if self.plan.flatten_at_end else "resume"
                self.owner.gives(Command(0, verb))
                if verb == "resume":
                    self.owner.gives(Command(0, "limits_back"))
                until_s = self.loop.now_s + SETTLE_S
            elif asked and not self.oracle.unsettled() and not unheard(self) and not self._settles_soon():
                break
        else:
            for line in sorted(unheard(self)):
                self.oracle.violation(20, f"nobody listens to {line}")
            for problem in self.oracle.unsettled():
                self.oracle.violation(*problem)
        if await self._stop():
            self.oracle.audit()
        else:  # killed over it: the next one puts everything in order, and is stopped
            await self._finale()

    def _settles_soon(self) -> bool:
        """Whether funding may be paid while the daemon stops: after its last question, and before the audit looks."""
        left_ms = HOUR_MS - self.market_ms % HOUR_MS
        return left_ms < STOP_S * SLOW_SPEED * 1000

    async def _stop(self) -> bool:
        """False when the daemon was killed meanwhile."""
        began_s, life = self.loop.now_s, self.life
        life.stop.set()
        self.oracle.stops_s = began_s
        while life.ended is None and self.loop.now_s - began_s < STOP_S:
            await asyncio.sleep(0.2)
            self.step_venue()
            self.streams.tick()
        took_s = self.loop.now_s - began_s
        if life.ended == "killed":
            return False
        if life.ended != "stopped" or took_s > 10.0:
            self.oracle.violation(20, f"stopping took {took_s:.1f} s and ended as {life.ended}")
        for life in self.lives:
            if life.ended is None:
                life.kill()
        await asyncio.sleep(0)
        return True


def core_jumps_ms(plan: Plan) -> list[int]:
    """When core coins jump, in market time: prices change on the grid alone."""
    hours = {hour for coin in CORE for hour, _ in plan.shapes[coin].jumps}
    return sorted(START_MS + math.ceil(hour * HOUR_MS / GRID_MS) * GRID_MS for hour in hours)


def config_of(plan: Plan) -> CoreConfig:
    """The shipped defaults with the plan's limits, and outages that end within the run's wall time."""
    limits = Limits(
        per_coin_cap=plan.per_coin_cap,
        per_coin_cap_overrides={} if plan.override is None else dict([plan.override]),
        leverage_ceiling=plan.ceiling,
        cash_rate=0.0,
        extreme=ExtremeLimits(outage_s=10, calm_s=30),
    )
    strategies = ("cash_and_carry", "reverse_carry") if plan.lent else ("cash_and_carry",)
    execution = Execution(slice_usd=plan.slice_usd, order_timeout_s=5)
    return CoreConfig(limits=limits, execution=execution, strategies=strategies)


__all__ = ["VENUE", "World", "config_of"]
