"""Allocation by example: what gives way and by how much, and what borrowed money buys."""

from dataclasses import replace

import pytest
from test_allocation_properties import CAP, MANY, candidate, targets

from bot.strategy.allocation import Allotment, Candidate, Credit, allocate


def greedy(coin: str, held: float, holds: float = 0.0, *, factor: float = 1.25) -> Candidate:
    """A pair whose margin takes more capital than its notional."""
    return replace(candidate(coin, held, holds), capital_factor=factor)


def lent(found: list[Candidate], own: float, credit: Credit, notional: float = MANY) -> dict[str, float]:
    return targets(found, allocate(found, notional, own, 0.0, credit))


def test_what_is_worth_just_its_closing_costs_is_held() -> None:
    assert not candidate("A", -0.002, CAP).exits
    assert candidate("A", -0.0021, CAP).exits
    assert candidate("A", -0.0021, 0.5).exits, "a crumb too"


def test_a_hedge_beyond_half_built_goes_on_to_what_was_aimed_at() -> None:
    assert allocate([candidate("A", 0.02, 60.0, aimed=97.0)], MANY, MANY, 0.0) == []
    stops = [Allotment("v", "A", 60.0, "no longer pays to enter")]
    assert allocate([candidate("A", 0.001, 60.0, aimed=97.0)], MANY, MANY, 0.0) == stops


def test_a_quarter_is_the_least_that_gives_way() -> None:
    found = [candidate("A", 0.005, CAP), candidate("B", 0.05, cap=25.0)]
    changes = allocate(found, CAP, MANY, 0.0)
    assert Allotment("v", "A", 75.0, "gives way to a better one") in changes
    assert targets(found, changes) == {"A": 75.0, "B": 25.0}
    found[1] = candidate("B", 0.05, cap=24.9)
    assert allocate(found, CAP, MANY, 0.0) == []


def test_what_gives_way_for_margin_keeps_what_the_margin_still_bears() -> None:
    found = [greedy("A", 0.005, CAP), greedy("B", 0.05)]
    assert targets(found, allocate(found, MANY, 200.0, 0.0)) == {"A": 60.0, "B": 100.0}


def test_what_is_held_ranks_by_what_its_capital_would_earn_as_cash() -> None:
    """A brings 0.006 and ties up capital that would earn 0.003; B brings 0.0045 after costs and would earn 0.001."""
    found = [replace(candidate("A", 0.006, CAP), cash=0.003), replace(candidate("B", 0.0085), cash=0.001)]
    assert targets(found, allocate(found, CAP, MANY, 0.0)) == {"A": 0.0, "B": CAP}


def test_borrowed_money_completes_what_own_money_began() -> None:
    assert lent([greedy("A", 0.02)], 75.0, Credit(MANY, 0.001)) == {"A": CAP}
    assert lent([greedy("A", 0.02)], 118.75, Credit(MANY, 0.001)) == {"A": CAP}, "the last 5 % too"
    assert lent([greedy("A", 0.02)], 0.0, Credit(MANY, 0.001)) == {"A": CAP}


def test_borrowed_money_buys_as_much_as_its_margin_allows() -> None:
    assert lent([greedy("A", 0.02)], 0.0, Credit(50.0, 0.001)) == {"A": 40.0}


def test_nothing_is_begun_with_a_crumb_of_credit() -> None:
    assert lent([greedy("A", 0.02)], 0.0, Credit(12.4, 0.001)) == {"A": 0.0}
    assert lent([greedy("A", 0.02)], 0.0, Credit(12.6, 0.001)) == {"A": pytest.approx(10.08)}


def test_the_best_after_interest_on_its_capital_is_bought_first() -> None:
    found = [greedy("A", 0.0120, factor=1.6), greedy("B", 0.0118)]
    assert lent(found, 0.0, Credit(125.0, 0.002)) == {"A": 0.0, "B": CAP}
    assert lent(found[::-1], 0.0, Credit(125.0, 0.002)) == {"A": 0.0, "B": CAP}


def test_what_does_not_pay_the_interest_on_its_whole_capital_is_not_bought() -> None:
    assert lent([greedy("A", 0.006, factor=1.6)], 0.0, Credit(MANY, 0.003)) == {"A": 0.0}
    assert lent([greedy("A", 0.007, factor=1.6)], 0.0, Credit(MANY, 0.003)) == {"A": CAP}


def test_credit_cheaper_than_what_cash_earns_buys_what_own_money_would_not() -> None:
    assert lent([replace(candidate("A", 0.01), cash=0.02)], MANY, Credit(MANY, 0.001)) == {"A": CAP}
