"""What must hold in every scenario, checked from the exchange's own record by arithmetic of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.config import CapOf, CoreConfig
from bot.domain.instruments import Wallet
from bot.domain.orders import OrderIntent, Purpose
from bot.research.direct import KEY, VENUE
from bot.research.scenarios.wallets import ZERO, View, view
from bot.simulator.model import Book

if TYPE_CHECKING:
    from bot.research.scenarios.session import StagedSession

GROWS = (Purpose.OPEN, Purpose.COMPLETE)
SLACK_MS = 1_000
"""Beyond R10's time limit: the unwinding order's own way."""
KEPT_MAX = 20


@dataclass(slots=True)
class Invariants:
    """Broken ones are kept as sentences. `legs_may_part` is set where the scenario itself stops a leg."""

    legs_may_part: bool
    intended: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    _apart_ms: dict[str, int] = field(default_factory=dict)

    def _hold(self, what: str, at_ms: int, *, ok: bool, detail: str = "") -> None:
        self.checks[what] += 1
        if not ok and len(self.broken) < KEPT_MAX:
            self.broken.append(f"{what} at {at_ms}: {detail}")

    def look(self, session: "StagedSession", now: View) -> None:
        """After a look: the books against the wallets, and how long legs have been apart."""
        if not session.now.out and not session.foreign and not session.state.orders and not session.state.transfers:
            self._books(session, now.at_ms)
        self._legs(session, now)

    def _books(self, session: "StagedSession", at_ms: int) -> None:
        """The ledger's balances are the exchange's wallets, to the last digit; what is not shown yet taken out."""
        booked: dict[tuple[str, str], Decimal] = {}
        for (account, asset), amount in session.state.ledger.balances.items():
            parts = account.split(":")
            if parts[:2] == ["venue", VENUE] and amount:
                booked[parts[2], asset] = amount
        for (wallet, asset), amount in _wallets(session).items():
            found = booked.pop((wallet, asset), ZERO)
            detail = f"{wallet} {asset}: ledger {found}, exchange {amount}"
            self._hold("ledger equals wallets", at_ms, ok=found == amount, detail=detail)
        self._hold("nothing booked that is not there", at_ms, ok=not booked, detail=str(booked))

    def _legs(self, session: "StagedSession", now: View) -> None:
        """More than a slice without its other leg lasts no longer than R10 allows, while both legs can trade."""
        execution = session.state.config.execution
        if self.legs_may_part or session.now.out:
            self._apart_ms.clear()
            return
        for coin, one in now.holdings.items():
            if one.gap_usd <= execution.slice_usd:
                self._apart_ms.pop(coin, None)
                continue
            since = self._apart_ms.setdefault(coin, now.mono_ms)
            allowed_ms = execution.max_leg_s * 1000 + SLACK_MS
            detail = f"{coin}: {one.gap_usd:.0f} USD for {now.mono_ms - since} ms"
            self._hold("unhedged is bounded", now.at_ms, ok=now.mono_ms - since <= allowed_ms, detail=detail)

    def submit(self, session: "StagedSession", intents: Sequence[OrderIntent]) -> None:
        """Before orders leave: what they would make of the account is within the cap and the ceiling."""
        growing = [intent for intent in intents if intent.purpose in GROWS]
        at_ms = session.market_ms
        for intent in intents:
            self._hold(
                "an intent before its order", at_ms, ok=intent.client_id in self.intended, detail=intent.client_id
            )
        if not growing:
            return
        now = view(session.exchange, session.market, at_ms, session.mono_ms, busy=True)
        config = session.state.config
        coin = next(h.coin for h in session.state.book.hedges.values() if h.id == growing[0].hedge_id)
        sides = dict.fromkeys((0, 1), ZERO)
        for intent in growing:
            sides[intent.leg] += intent.quantity_base * intent.decided_price
        held = now.holdings.get(coin)
        spot = sides[0] + (abs(held.spot) * held.index if held is not None else ZERO)
        perp = sides[1] + (abs(held.perp) * held.mark if held is not None else ZERO)
        cap = cap_usd(config, coin, now.nav_usd)
        self._hold(
            "cap at submit", at_ms, ok=max(spot, perp) <= cap, detail=f"{coin}: {max(spot, perp):.0f} of {cap:.0f}"
        )
        others = sum((one.side_usd for name, one in now.holdings.items() if name != coin and one.perp), ZERO)
        leverage = (others + max(spot, perp)) / now.nav_usd
        ceiling = config.limits.leverage_ceiling
        self._hold("leverage at submit", at_ms, ok=leverage <= ceiling, detail=f"{leverage:.4f} of {ceiling}")

    def finish(self, session: "StagedSession") -> None:
        """At the end: the exchange's orders, trades and receipts against what the books say."""
        truth = session.exchange.truth(KEY, session.market_ms)
        ours = [order for order in truth["orders"] if order["client_id"].startswith("cb")]
        ids = Counter(order["client_id"] for order in ours)
        at_ms = session.market_ms
        self._hold(
            "one intent, one order", at_ms, ok=all(n == 1 for n in ids.values()), detail=str(ids.most_common(3))
        )
        self._hold(
            "every order was intended", at_ms, ok=ids.keys() <= self.intended, detail=str(ids.keys() - self.intended)
        )


def _wallets(session: "StagedSession") -> dict[tuple[str, str], Decimal]:
    """(wallet, asset) -> what the exchange holds for the account, less what it lent and what it does not show yet."""
    found = {
        (book.value, asset): sum(both, ZERO)
        for book in Book
        for asset, both in session.exchange.wallet(KEY, book).items()
    }
    found["perp", "USDT"] -= session.staged.late_usd
    owed = session.exchange.margin_wallet(KEY).items()
    return found | {(Wallet.MARGIN.value, asset): free - loan for asset, (free, loan) in owed}


def cap_usd(config: CoreConfig, coin: str, nav_usd: Decimal) -> Decimal:
    """R2's limit from its definition in the handbook, not from the engine's code."""
    limits = config.limits
    base = nav_usd * limits.leverage_ceiling if limits.per_coin_cap_of is CapOf.CAPACITY else nav_usd
    return limits.per_coin_cap_overrides.get(coin, limits.per_coin_cap) * base
