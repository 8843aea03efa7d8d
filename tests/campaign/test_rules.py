"""The oracle's own figures of rules and hedges: right where the books are, and able to tell when they are not."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from bot.simulator.model import Settlement
from tests.campaign import session
from tests.campaign.figures import Figures
from tests.campaign.funding_days import DAY_MS, Standing, standing
from tests.campaign.plans import plan
from tests.campaign.store import Database

HOUR_MS = 3_600_000


def _settled(*days: Sequence[str]) -> Iterator[Settlement]:
    """Three settlements a day, the third one at the midnight that ends it."""
    for number, rates in enumerate(days, 20_000):
        for part, rate in enumerate(rates, 1):
            at_ms = number * DAY_MS + part * 8 * HOUR_MS
            yield Settlement("BTCUSDT", at_ms, Decimal(rate), Decimal(1), 28_800)


BAD, GOOD = ("0.0001", "-0.0003", "0.0001"), ("-0.0001", "0.0003", "0.0001")


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ([BAD] * 4, Standing(False, 4, 0)),
        ([BAD] * 5, Standing(True, 5, 0)),
        ([BAD] * 4 + [BAD[:2]], Standing(False, 4, 0)),  # the fifth has not ended
        ([BAD] * 3 + [GOOD] + [BAD] * 2, Standing(False, 2, 0)),
        ([BAD] * 5 + [GOOD] * 2, Standing(True, 0, 2)),
        ([BAD] * 5 + [GOOD] * 3, Standing(False, 0, 3)),
    ],
)
def test_where_a_coin_stands_after_its_funding_days(days: list[Sequence[str]], found: Standing) -> None:
    assert standing(_settled(*days), 1) == found


def test_what_is_bad_for_a_short_perpetual_is_good_for_a_long_one() -> None:
    assert standing(_settled(*[GOOD] * 5), -1) == Standing(True, 5, 0)


class _Kept(Database):
    """Stays open after the run."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def books() -> Iterator[Database]:
    kept = _Kept()
    assert not session.play(plan(12), database=kept).violations
    yield kept
    Database.close(kept)


def _figures(books: Database) -> Figures:
    return Figures(books.rows, lambda _: Decimal(10**6), lambda *_: (Decimal(0), Decimal(10**6)))


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE hedges SET funding_usd = '1'",
        "UPDATE hedges SET fees_usd = '1'",
        "UPDATE hedges SET slippage_usd = '1'",
        "UPDATE hedges SET borrow_usd = '-1'",
        "UPDATE legs SET realized_quote = '1' WHERE kind = 'spot'",
        "UPDATE legs SET cost_quote = '1' WHERE kind = 'spot'",
        "UPDATE legs SET quantity_base = '1'",
        "UPDATE hedges SET coin = 'XYZ'",
    ],
)
def test_wrong_figures_of_a_hedge_are_told(books: Database, edit: str) -> None:
    assert not [*_figures(books).wrong()]
    copy = books.copy()
    copy.rows(edit)
    assert [*_figures(copy).wrong()]
    copy.close()
