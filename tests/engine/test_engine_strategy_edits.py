"""Random sessions with loans in which the owner edits strategies, coins, slices and caps all the time."""

from decimal import Decimal
from random import Random

import market_kit as kit
import pytest
import test_engine_invariants as invariants
from test_engine_reverse_invariants import Borrowing
from tiny_venue import TinyVenue

from bot.domain.actions import PlaceOrders
from bot.domain.config import CoreConfig, Execution, Limits, ReverseCarry, Universe
from bot.domain.events import Event, Reconfigure, Resume
from bot.domain.market import CollateralRatio
from bot.domain.orders import Purpose

SEEDS = range(300, 312)
BOTH = ("cash_and_carry", "reverse_carry")


def edited(dice: Random) -> CoreConfig:
    """Valid settings, often without what is held."""
    limits = Limits(
        per_coin_cap=Decimal(dice.choice(["0.02", "0.1", "0.2"])),
        leverage_ceiling=Decimal(dice.choice(["0.2", "0.5"])),
        readmit_days=1,
    )
    excluded = tuple(coin for coin in invariants.COINS if dice.random() < 0.2)
    return CoreConfig(
        limits=limits,
        universe=Universe(coins=invariants.COINS, exclude=excluded),
        strategies=dice.choice([BOTH, BOTH, BOTH[:1], BOTH[1:], ()]),
        reverse_carry=ReverseCarry(
            recall_pause_h=0.2, rate_max=dice.choice([0.1, 0.3]), rate_alarm=dice.choice([0.3, 2])
        ),
        execution=Execution(slice_usd=Decimal(dice.choice([5_000, 20_000]))),
    )


def interference(book: invariants.Watched) -> Event:
    if book.dice.random() < 0.5:
        return Resume("test")
    return Reconfigure(edited(book.dice)) if book.dice.random() < 0.8 else commanded(book)


commanded = invariants._interference


class Edited(Borrowing):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.rate = "-0.002" if seed % 3 else "0.0006"

    def news(self, venue: TinyVenue, *, calm: bool) -> list[Event]:
        told = super().news(venue, calm=calm)
        if calm or self.dice.random() < 0.03:
            told.append(CollateralRatio(kit.VENUE, 1.0 if calm else self.dice.choice([0.8, 0.95, 1.0])))
        return told

    def _sent(self, action: PlaceOrders, before: dict[str, list[str]]) -> None:
        super()._sent(action, before)
        config = self.state.config
        for intent in action.intents:
            hedge = self.state.hedges[intent.hedge_id]
            if intent.purpose is Purpose.OPEN:
                assert hedge.structure.name in config.strategies, "a strategy that its owner has taken out"
                assert hedge.coin not in config.universe.exclude, "a coin that its owner has excluded"


@pytest.mark.parametrize("seed", SEEDS)
def test_edits_of_strategies_and_coins_hold_from_the_next_order_on(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "_interference", interference)
    book, venue = invariants.run(seed, make=Edited)
    invariants.ends_whole(book, venue, seed)
