"""R14: capital used must beat the owner's cash, and borrowed money its interest."""

import pytest

from bot.domain.config import CoreConfig, Limits, StrategyConfig
from bot.domain.limits import borrow_cost, cash_cost
from bot.strategy.allocation import Allotment, Candidate, Credit, allocate
from bot.strategy.carry import CarryEstimate

CAP, MANY = 100.0, 1e9


def candidate(
    coin: str, held: float, holds: float = 0.0, *, cash: float = 0.0, factor: float = 1.25, grow: bool = True
) -> Candidate:
    found = CarryEstimate("v", coin, 0.0, 0.0, held, 0.0, open_cost=0.002, close_cost=0.002)
    return Candidate(found, CAP, holds, holds, factor, grow, cash)


def test_cash_is_counted_over_the_holding_time_on_all_capital_used() -> None:
    config = CoreConfig(limits=Limits(cash_rate=0.04), strategy=StrategyConfig(fast_h=876, slow_h=0, base_h=0))
    assert cash_cost(config, 1.28) == pytest.approx(0.04 * 0.1 * 1.28)
    assert borrow_cost(config) == pytest.approx(0.08 * 0.1)
    assert cash_cost(CoreConfig(limits=Limits(cash_rate=0)), 1.28) == 0


def test_what_pays_for_its_costs_and_not_for_cash_is_not_entered() -> None:
    assert allocate([candidate("A", 0.003)], MANY, MANY, 0.0) == [Allotment("v", "A", CAP, "carry pays")]
    assert allocate([candidate("A", 0.003, cash=0.0011)], MANY, MANY, 0.0) == []
    assert allocate([candidate("A", 0.0032, cash=0.0011)], MANY, MANY, 0.0) != []


def test_what_is_held_goes_when_leaving_it_for_cash_is_worth_the_close() -> None:
    assert allocate([candidate("A", -0.0015, CAP)], MANY, MANY, 0.0) == []
    assert allocate([candidate("A", -0.0015, CAP, cash=0.001)], MANY, MANY, 0.0) == [
        Allotment("v", "A", 0.0, "carry gone")
    ]


def test_a_coin_that_needs_more_margin_ranks_by_what_its_capital_would_earn() -> None:
    thrifty, greedy = candidate("A", 0.0101, cash=0.001), candidate("B", 0.0102, cash=0.0013, factor=1.6)
    assert [one.coin for one in allocate([greedy, thrifty], CAP, MANY, 0.0)] == ["A"]


def test_beyond_own_capital_interest_takes_the_place_of_cash() -> None:
    coins = [candidate("A", 0.02, cash=0.001), candidate("B", 0.006, cash=0.001), candidate("C", 0.0035, cash=0.001)]
    own = 1.25 * CAP
    assert [one.coin for one in allocate(coins, MANY, own, 0.0)] == ["A"], "a split account lends nothing"
    lent = allocate(coins, MANY, own, 0.0, Credit(MANY, 0.0021))
    assert [one.coin for one in lent] == ["A", "B"], "C would not pay its interest of 26 bps"
    dear = allocate(coins, MANY, own, 0.0, Credit(MANY, 0.01))
    assert [one.coin for one in dear] == ["A"]


def test_credit_and_the_leverage_ceiling_are_kept() -> None:
    coins = [candidate(name, 0.02) for name in "ABCD"]
    lent = allocate(coins, 250.0, 125.0, 0.0, Credit(125.0, 0.001))
    assert sum(one.target_usd for one in lent) == pytest.approx(200)
    lent = allocate(coins, 150.0, 125.0, 0.0, Credit(1e6, 0.001))
    assert sum(one.target_usd for one in lent) == pytest.approx(150)


def test_what_is_held_on_credit_is_not_cut_for_what_the_rest_of_the_credit_buys() -> None:
    """A would not be entered today, and own capital reaches two thirds of it."""
    first = Candidate(candidate("A", 0.006).estimate, 150.0, 150.0, 150.0, 1.0, may_grow=False)
    second = Candidate(candidate("B", 0.0065).estimate, 40.0, 0.0, 0.0, 1.0, may_grow=True)
    lent = allocate([first, second], MANY, 100.0, 0.0, Credit(100.0, 0.001))
    assert lent == [Allotment("v", "B", 40.0, "carry pays")]


def test_what_is_already_lent_out_is_not_lent_again() -> None:
    coins = [candidate("A", 0.02, CAP), candidate("B", 0.02, CAP), candidate("C", 0.02)]
    assert allocate(coins, MANY, 125.0, 0.0, Credit(125.0, 0.001)) == []
