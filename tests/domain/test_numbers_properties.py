"""Venue grids as properties: rounding down, rounding up, and the step on which two legs can be equal."""

import decimal
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.numbers import ceil_to, common_step, floor_to, text

VALUES = st.decimals(min_value=0, max_value=10**12, places=12, allow_nan=False, allow_infinity=False)
STEPS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(1, 5_000), st.integers(-10, 3)
)


def whole(value: Decimal, step: Decimal) -> bool:
    with decimal.localcontext(decimal.Context(prec=80)):
        return value % step == 0


@given(VALUES, STEPS)
def test_floor_is_the_nearest_multiple_below(value: Decimal, step: Decimal) -> None:
    down = floor_to(value, step)
    assert whole(down, step)
    assert down <= value < down + step


@given(VALUES, STEPS)
def test_ceil_is_the_nearest_multiple_above(value: Decimal, step: Decimal) -> None:
    up = ceil_to(value, step)
    assert whole(up, step)
    assert up - step < value <= up


@given(st.integers(0, 10**9), STEPS)
def test_a_multiple_is_its_own_floor_and_ceil(count: int, step: Decimal) -> None:
    value = Decimal(count) * step
    assert floor_to(value, step) == value == ceil_to(value, step)


@given(STEPS, STEPS)
def test_the_common_step_is_the_least_common_multiple(first: Decimal, second: Decimal) -> None:
    step = common_step(first, second)
    assert step > 0
    assert whole(step, first)
    assert whole(step, second)
    with decimal.localcontext(decimal.Context(prec=80)):
        assert gcd(int(step / first), int(step / second)) == 1


@pytest.mark.parametrize(
    ("first", "second", "step"),
    [("0.00001", "0.001", "0.001"), ("1", "1000", "1000"), ("0.4", "0.6", "1.2"), ("0.1", "0.1", "0.1")],
)
def test_common_steps_as_they_occur(first: str, second: str, step: str) -> None:
    assert common_step(Decimal(first), Decimal(second)) == Decimal(step)


@given(VALUES, STEPS)
def test_rounding_does_not_depend_on_the_ambient_context(value: Decimal, step: Decimal) -> None:
    """ccxt changes it to round half up; a short precision would be worse still."""
    expected = floor_to(value, step), ceil_to(value, step)
    for context in (decimal.Context(prec=28, rounding=ROUND_HALF_UP), decimal.Context(prec=9, rounding=ROUND_UP)):
        with decimal.localcontext(context):
            assert (floor_to(value, step), ceil_to(value, step)) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=10))
def test_text_is_plain_and_exact(value: Decimal) -> None:
    shown = text(value)
    assert "E" not in shown.upper()
    assert Decimal(shown) == value
    assert "." not in shown or not shown.endswith(("0", "."))
