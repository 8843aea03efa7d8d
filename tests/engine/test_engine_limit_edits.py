"""Random sessions in which the owner edits the limits all the time: what is sent keeps the limits of that moment."""

from decimal import Decimal
from random import Random

import market_kit as kit
import pytest
import test_engine_invariants as invariants

from bot.domain.actions import PlaceOrders
from bot.domain.config import (
    Budget,
    CapOf,
    CoreConfig,
    DrawdownLimits,
    ExtremeLimits,
    Limits,
    SpreadLimits,
)
from bot.domain.events import Event, Reconfigure, Resume
from bot.domain.guards import Breach
from bot.domain.orders import Purpose
from bot.domain.valuation import nav_usd
from bot.risk.rules import r13_venue_cap

SEEDS = range(100, 112)


def edited(dice: Random) -> CoreConfig:
    """Any valid limits, often tighter than what is held."""
    soft = Decimal(dice.choice(["0.0005", "0.002", "0.008"]))
    limits = Limits(
        per_coin_cap=Decimal(dice.randint(1, 30)) / 100,
        per_coin_cap_of=dice.choice(list(CapOf)),
        per_coin_cap_overrides={"ETH": Decimal(dice.randint(1, 30)) / 100} if dice.random() < 0.5 else {},
        leverage_ceiling=Decimal(dice.randint(1, 12)) / 10,
        per_venue_cap=Decimal(dice.choice(["1", "1", "1", "0.9"])),
        drawdown=DrawdownLimits(soft=soft, hard=soft * dice.choice([2, 4]), cooldown_s=dice.choice([0, 600])),
        spread=SpreadLimits(reduce_drawdown=Decimal(dice.choice(["0.00001", "0.001"])), cooldown_s=60),
        extreme=ExtremeLimits(move=dice.choice([0.01, 0.08]), outage_s=dice.choice([5, 30]), calm_s=30),
        budget=Budget(orders_per_hour=dice.choice([10, 4_000])),
    )
    return kit.config(invariants.COINS, limits=limits)


def interference(book: invariants.Watched) -> Event:
    """Mostly edits, and the owner brings a halted daemon back."""
    return Resume("test") if book.dice.random() < 0.3 else Reconfigure(edited(book.dice))


class Edited(invariants.Watched):
    """Adds R5, R6, R13 and the budgets to what every order that opens is held against."""

    def _sent(self, action: PlaceOrders, before: dict[str, list[str]]) -> None:
        super()._sent(action, before)
        opening = [intent for intent in action.intents if intent.purpose is Purpose.OPEN]
        if not opening:
            return
        book = self.state.book
        bounds, venue = book.config.limits, opening[0].venue
        assert not book.guards.extreme.active, "R6"
        assert book.guards.drawdown.level is Breach.NONE, "R5"
        assert book.guards.spent.within_hour(book.now.market_ms)[0] <= bounds.budget.orders_per_hour
        if bounds.per_venue_cap < 1:
            nav = nav_usd(book)
            assert r13_venue_cap.in_use(book, nav, venue) <= bounds.per_venue_cap, "R13"
            assert r13_venue_cap.lying_there(book, nav, venue) <= bounds.per_venue_cap, "R13"


@pytest.mark.parametrize("seed", SEEDS)
def test_edits_of_limits_never_let_an_order_through_that_breaks_them(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "_interference", interference)
    monkeypatch.setattr(invariants, "Watched", Edited)
    book, venue = invariants.run(seed)
    for (wallet, asset), amount in venue.wallets.items():
        assert book.balance(f"venue:binance:{wallet}", asset) == amount, f"seed {seed}"


def test_the_sessions_are_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "_interference", interference)
    sent = [intent.purpose for seed in (100, 101, 102, 103) for intent in invariants.run(seed)[0].sent]
    assert {Purpose.OPEN, Purpose.REDUCE} <= set(sent)
    assert len(sent) > 100
