"""The audit record of a run: what was said, what was held, how deep and how naked it went."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain import actions as act
from bot.domain.orders import OrderIntent
from bot.research.scenarios.invariants import Invariants
from bot.research.scenarios.session import StagedSession
from bot.research.scenarios.wallets import ZERO, View, view


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of the engine's log."""

    at_ms: int
    mono_ms: int
    name: str
    fields: Mapping[str, object]

    @property
    def rule(self) -> str:
        return str(self.fields.get("rule", ""))

    @property
    def coin(self) -> str | None:
        coin = self.fields.get("coin")
        return None if coin is None else str(coin)


@dataclass(slots=True)
class Naked:
    """Worst exposure without its other leg (USD), and the longest stretch of wall time with any."""

    worst_usd: Decimal = ZERO
    longest_ms: int = 0
    since_ms: int | None = None

    def see(self, usd: Decimal, mono_ms: int) -> None:
        self.worst_usd = max(self.worst_usd, usd)
        if not usd:
            self.since_ms = None
            return
        self.since_ms = mono_ms if self.since_ms is None else self.since_ms
        self.longest_ms = max(self.longest_ms, mono_ms - self.since_ms)


@dataclass(slots=True)
class Record:
    """Fed with every action and every look; figures are of the time from `judged_ms` on."""

    judged_ms: int
    heard: list[Heard] = field(default_factory=list)
    looks: list[tuple[int, Decimal, Mapping[str, Decimal], bool]] = field(default_factory=list)
    """(market time, deployed USD, notional by coin, whether something was under way)."""
    naked: Naked = field(default_factory=Naked)
    high_usd: Decimal = ZERO
    drawdown: Decimal = ZERO
    """Deepest fall of NAV below its highest since the book stood, a fraction; deposits and withdrawals taken out."""
    drawdown_ms: int = 0
    first_nav_usd: Decimal = ZERO
    last: View | None = None
    moved_usd: Decimal = ZERO
    """Deposits less withdrawals since the book stood."""
    orders: int = 0

    @property
    def result(self) -> Decimal:
        """Change of NAV since the book stood, a fraction of it."""
        if self.last is None or not self.first_nav_usd:
            return ZERO
        return (self.last.nav_usd - self.moved_usd) / self.first_nav_usd - 1

    def look(self, now: View) -> None:
        coins = {coin: now.of(coin) for coin in now.holdings}
        self.looks.append((now.at_ms, now.deployed_usd, coins, now.busy))
        if now.at_ms < self.judged_ms:
            return
        self.naked.see(now.naked_usd, now.mono_ms)
        nav = now.nav_usd - self.moved_usd
        self.first_nav_usd = self.first_nav_usd or nav
        self.high_usd = max(self.high_usd, nav)
        fall = 1 - nav / self.high_usd
        if fall > self.drawdown:
            self.drawdown, self.drawdown_ms = fall, now.at_ms
        self.last = now

    def exposure(self, at_ms: int, coin: str | None) -> tuple[Decimal, Decimal]:
        """(before, after): at the last look before a moment, and at the first one after it with nothing under way."""
        before = after = ZERO
        done = False
        for when_ms, deployed, coins, busy in self.looks:
            usd = deployed if coin is None else coins.get(coin, ZERO)
            if when_ms < at_ms:
                before = after = usd
            elif not done:
                after = usd
                done = when_ms > at_ms and not busy
        return before, after


class Watch:
    """The session's ear and eye: fills a record and checks the invariants."""

    def __init__(self, judged_ms: int, invariants: Invariants) -> None:
        self.record = Record(judged_ms)
        self.invariants = invariants
        self.session: StagedSession | None = None

    def hear(self, action: act.Action, at_ms: int) -> None:
        session = self.session
        match action:
            case act.Emit():
                mono_ms = 0 if session is None else session.mono_ms
                self.record.heard.append(Heard(at_ms, mono_ms, action.name, action.fields))
                if action.name == "capital.moved" and at_ms >= self.record.judged_ms:
                    self.record.moved_usd += Decimal(str(action.fields["amount"]))
            case act.PlaceOrders():
                self.record.orders += len(action.intents)
            case act.Persist(record=OrderIntent() as intent):
                self.invariants.intended.add(intent.client_id)
            case _:
                pass

    def look(self, session: StagedSession) -> None:
        now = view(session.exchange, session.market, session.market_ms, session.mono_ms, busy=session.busy)
        self.record.look(now)
        self.invariants.look(session, now)
