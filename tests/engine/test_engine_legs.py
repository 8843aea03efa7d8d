"""Average cost and realised P&L of a leg, as properties."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.hedges import Leg
from bot.domain.instruments import Kind
from bot.engine.money import move_leg

QUANTITIES = st.integers(-1000, 1000).filter(bool).map(lambda n: Decimal(n) / 8)
PRICES = st.integers(1, 10**6).map(lambda n: Decimal(n) / 4)
TRADES = st.lists(st.tuples(QUANTITIES, PRICES), max_size=25)
NEARLY = Decimal("1e-15")


@given(TRADES, PRICES)
def test_realised_and_open_profit_are_what_cash_and_position_say(
    trades: list[tuple[Decimal, Decimal]], price: Decimal
) -> None:
    leg, cash, held = Leg("x", Kind.PERP, -1), Decimal(0), Decimal(0)
    for quantity, paid in trades:
        move_leg(leg, quantity, paid)
        cash -= quantity * paid
        held += quantity
        assert leg.quantity_base == held
    profit = leg.realized_quote + leg.quantity_base * price - leg.cost_quote
    assert abs(profit - (cash + held * price)) <= NEARLY * max(Decimal(1), abs(cash))


@given(TRADES)
def test_the_entry_price_lies_among_the_prices_paid_and_nothing_held_costs_nothing(
    trades: list[tuple[Decimal, Decimal]],
) -> None:
    leg = Leg("x", Kind.PERP, -1)
    for quantity, paid in trades:
        move_leg(leg, quantity, paid)
    if not leg.quantity_base:
        assert leg.cost_quote == 0
        assert leg.entry_price is None
    elif trades:
        prices = [paid for _, paid in trades]
        assert leg.entry_price is not None
        assert min(prices) * (1 - NEARLY) <= leg.entry_price <= max(prices) * (1 + NEARLY)


def test_a_flip_closes_first_and_then_opens() -> None:
    leg = Leg("x", Kind.PERP, -1)
    move_leg(leg, Decimal(-2), Decimal(100))
    move_leg(leg, Decimal(3), Decimal(90))
    assert (leg.quantity_base, leg.entry_price, leg.realized_quote) == (Decimal(1), Decimal(90), Decimal(20))
