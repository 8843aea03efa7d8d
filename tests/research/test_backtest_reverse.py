"""Reverse carry over recorded history: SOL in October and November 2022, whose rate went to the floor of -2 %."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain import actions as act
from bot.domain.config import CoreConfig, Limits
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.ledger import Transaction
from bot.domain.time import HOUR_MS
from bot.research.attribution import PARTS
from bot.research.backtest import Answer, Question, as_json, run
from bot.research.bars import BarMarket
from bot.research.direct import KEY
from bot.research.recordings import Recording, read_recordings
from bot.research.replay import BarSession
from bot.simulator.loan_model import LoanModel

REVERSE = CoreConfig(limits=Limits(cash_rate=0), strategies=("reverse_carry",))
CHEAP = LoanModel(rate_year=0.10, share=0.0)
"""A lender who does not notice what the coin earns: the optimist's."""


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


FROM_MS, UNTIL_MS = utc("2022-10-15"), utc("2022-12-31")


@dataclass
class Told:
    """What a session said: log lines by name, transactions by kind, the hedges as they were last written."""

    lines: list[act.Emit]
    transactions: list[Transaction]
    hedges: dict[str, Hedge]

    def __call__(self, action: act.Action, _: int) -> None:
        if isinstance(action, act.Emit):
            self.lines.append(action)
        elif isinstance(action, act.Persist) and isinstance(action.record, Transaction):
            self.transactions.append(action.record)
        elif isinstance(action, act.Persist) and isinstance(action.record, Hedge):
            self.hedges[action.record.id] = action.record

    def said(self, name: str) -> list[act.Emit]:
        return [line for line in self.lines if line.name == name]


@pytest.fixture(scope="module")
def sol(recorded: Path) -> list[Recording]:
    return read_recordings(recorded, ("SOL",))


@pytest.fixture(scope="module")
def earned(sol: list[Recording]) -> Answer:
    return run(sol, Question(FROM_MS, UNTIL_MS, REVERSE, loans=CHEAP))


@pytest.fixture
def session(sol: list[Recording]) -> Iterator[tuple[BarSession, Told]]:
    """A session whose books are held against the exchange's own at the end of the test."""
    told = Told([], [], {})
    made = BarSession(BarMarket(sol, FROM_MS, UNTIL_MS), REVERSE, cash=Decimal(1_000_000), loans=CHEAP, watch=told)
    yield made, told
    compare(made, told)


def compare(session: BarSession, told: Told) -> None:
    """Wallets agree to the last digit, and interest is the venue's own history: nothing missing, nothing twice."""
    assert not told.said("ledger.difference")
    for wallet, assets in session.bar_venue.account().balances.items():
        for asset, amount in assets.items():
            assert session.state.ledger.balance(f"venue:binance:{wallet}", asset) == amount, (wallet, asset)
    loans = session.bar_venue.loans
    assert loans is not None
    booked = sorted(one.id for one in told.transactions if one.kind == "interest")
    charged = loans.charged()
    assert booked == sorted(f"interest:binance:main:{one.asset}:{one.venue_id}" for one in charged)
    ledger = session.state.ledger.balances
    paid = sum((amount for (account, _), amount in ledger.items() if account.startswith("interest:")), Decimal(0))
    assert paid == sum((one.amount for one in charged), Decimal(0))


def test_it_earns_and_says_by_what(earned: Answer) -> None:
    total = earned.total
    assert total.net > 0.005, "0.87 % of NAV at a cap of 5 %"
    assert total.funding > 0.005
    assert total.borrow < 0 < total.basis
    parts = {part: getattr(total, part) for part in PARTS}
    assert sum(parts.values()) == pytest.approx(total.net, abs=1e-12)
    assert earned.book.unexplained < 1e-12
    assert {coin for _, coin in earned.book.days} == {"SOL"}


def test_a_lender_who_takes_half_of_the_funding_leaves_less(sol: list[Recording], earned: Answer) -> None:
    dear = run(sol, Question(FROM_MS, UNTIL_MS, REVERSE, loans=LoanModel(rate_year=0.10, share=0.5)))
    assert dear.total.net < earned.total.net / 2
    assert dear.total.net > -0.001, "R9 keeps out of what does not pay"


def test_what_cannot_be_borrowed_is_not_traded(sol: list[Recording]) -> None:
    nothing = run(sol, Question(FROM_MS, UNTIL_MS, REVERSE, loans=LoanModel(pool_usd=0)))
    assert nothing.total.trades == 0
    (borrow,) = (row for row in as_json(nothing)["rules"] if row["rule"] == "R9")
    assert borrow["refused"] > 0


def test_the_usual_strategies_have_no_margin_account(sol: list[Recording]) -> None:
    market = BarMarket(sol, FROM_MS, UNTIL_MS)
    plain = BarSession(market, CoreConfig(), cash=Decimal(1_000_000), loans=CHEAP)
    assert plain.bar_venue.loans is None
    assert not plain.state.market.reverse


def test_the_books_are_the_exchanges_own(session: tuple[BarSession, Told]) -> None:
    made, told = session
    while not made.done:
        made.advance()
    assert sum(hedge.borrow_usd for hedge in told.hedges.values()) > 100
    assert sum(hedge.funding_usd for hedge in told.hedges.values()) > 5_000


def open_hedge(session: BarSession) -> Hedge:
    """Advance until something is owed."""
    while not session.done:
        session.advance()
        held = [hedge for hedge in session.state.book.live_hedges() if hedge.state is HedgeState.HEDGED]
        if held:
            return held[0]
    raise AssertionError("nothing was opened")


def test_a_recall_is_obeyed_before_it_is_due(session: tuple[BarSession, Told]) -> None:
    made, told = session
    hedge = open_hedge(made)
    exchange = made.bar_venue.exchange
    assert exchange.margin_wallet(KEY)["SOL"][1] > 0
    exchange.faults.add([{"kind": "loan_recall", "asset": "SOL", "grace_s": 12 * 3600}])
    recalled_ms = made.market_ms
    for _ in range(2):
        made.advance()
    assert told.said("loan.recalled")
    assert told.hedges[hedge.id].state is HedgeState.CLOSED
    assert exchange.margin_wallet(KEY)["SOL"][1] == 0
    assert told.hedges[hedge.id].closed_ms - recalled_ms < 12 * HOUR_MS
    assert not told.said("position.taken")
    for _ in range(12):
        made.advance()
    assert not list(made.state.book.live_hedges()), "and is not borrowed again while it is recalled"


def test_a_recall_at_once_is_a_purchase_of_the_venue_and_the_perpetual_follows(
    session: tuple[BarSession, Told],
) -> None:
    made, told = session
    hedge = open_hedge(made)
    made.bar_venue.exchange.faults.add([{"kind": "loan_recall", "asset": "SOL", "grace_s": 0}])
    made.advance()
    assert told.said("position.taken")
    made.advance()
    assert told.hedges[hedge.id].state is HedgeState.CLOSED
    assert not made.bar_venue.exchange.positions(KEY)


def test_a_rate_spike_is_told_and_ends_the_hedge(session: tuple[BarSession, Told]) -> None:
    made, told = session
    hedge = open_hedge(made)
    made.bar_venue.exchange.faults.add([{"kind": "borrow_rate", "asset": "SOL", "rate_year": 40}])
    for _ in range(2):
        made.advance()
    assert told.said("borrow.rate_high")
    assert any(line.fields["rule"] == "R9" for line in told.said("risk.forced"))
    assert told.hedges[hedge.id].state is HedgeState.CLOSED
