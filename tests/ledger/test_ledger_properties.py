"""The ledger as properties: all sums are zero, repeats change nothing, the past is fixed, a defect posts nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ledger import Entry
from bot.domain.time import DAY_MS
from bot.ledger import journal
from bot.ledger.chain import link
from bot.ledger.journal import REMEMBERED_MS, Ledger, UnbalancedError

ACCOUNTS = st.sampled_from(["venue:v:spot", "venue:v:perp", "trade:h1", "fee:h1", "funding:h1", "equity:opening"])
ASSETS = st.sampled_from(["USDT", "BTC", "PEPE"])
AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, places=8, allow_nan=False, allow_infinity=False)
PAIRS = st.builds(
    lambda a, b, asset, amount: (Entry(a, asset, amount), Entry(b, asset, -amount)),
    ACCOUNTS,
    ACCOUNTS,
    ASSETS,
    AMOUNTS,
)
FACTS = st.lists(
    st.tuples(st.integers(0, 12), st.lists(PAIRS, min_size=0, max_size=4).map(lambda pairs: sum(pairs, ()))),
    max_size=20,
)


@given(FACTS)
def test_every_asset_sums_to_nothing_and_repeats_change_nothing(facts: list[tuple[int, tuple[Entry, ...]]]) -> None:
    ledger = Ledger()
    expected: dict[tuple[str, str], Decimal] = {}
    booked: set[int] = set()
    for number, entries in facts:
        transaction = ledger.post(f"fact:{number}", 1_000 + number, "test", None, entries)
        assert (transaction is None) == (number in booked)
        if transaction is not None:
            booked.add(number)
            for entry in entries:
                key = entry.account, entry.asset
                expected[key] = expected.get(key, Decimal(0)) + entry.amount
    assert {key: amount for key, amount in ledger.balances.items() if amount} == {
        key: amount for key, amount in expected.items() if amount
    }
    for asset in ("USDT", "BTC", "PEPE"):
        assert sum(amount for (_, one), amount in ledger.balances.items() if one == asset) == 0
    assert ledger.count == len(booked)


@given(FACTS, st.integers(0, 19), st.integers(0, 3))
def test_the_chain_verifies_and_an_altered_past_does_not(
    facts: list[tuple[int, tuple[Entry, ...]]], altered: int, what: int
) -> None:
    ledger = Ledger()
    posted = [ledger.post(f"fact:{i}", 1_000 + n, "test", "h1", e) for i, (n, e) in enumerate(facts)]
    chain = ""
    for one in posted:
        assert one is not None
        chain = link(chain, one.number, one.id, one.at_ms, one.kind, one.hedge_id, one.entries)
        assert chain == one.chain
    assert chain == ledger.chain
    if altered < len(posted):
        one = posted[altered]
        assert one is not None
        before = posted[altered - 1].chain if altered else ""  # type: ignore[union-attr]
        forged = [
            link(before, one.number, one.id, one.at_ms + 1, one.kind, one.hedge_id, one.entries),
            link(before, one.number, one.id + "x", one.at_ms, one.kind, one.hedge_id, one.entries),
            link(before, one.number, one.id, one.at_ms, one.kind, "h2", one.entries),
            link(before, one.number, one.id, one.at_ms, one.kind, "h1", (*one.entries, Entry("a", "b", Decimal(1)))),
        ]
        assert forged[what] != one.chain


@given(FACTS, st.lists(PAIRS, min_size=1, max_size=3), ASSETS, AMOUNTS.filter(bool))
def test_an_unbalanced_transaction_is_refused_and_nothing_has_changed(
    facts: list[tuple[int, tuple[Entry, ...]]],
    pairs: list[tuple[Entry, Entry]],
    asset: str,
    wrong: Decimal,
) -> None:
    ledger = Ledger()
    for number, entries in facts:
        ledger.post(f"fact:{number}", 1_000, "test", None, entries)
    before = dict(ledger.balances), ledger.count, ledger.chain, dict(ledger.seen)
    with pytest.raises(UnbalancedError):
        ledger.post("wrong", 2_000, "test", None, [*sum(pairs, ()), Entry("venue:v:spot", asset, wrong)])
    assert (dict(ledger.balances), ledger.count, ledger.chain, dict(ledger.seen)) == before
    assert not ledger.knows("wrong")


def test_the_memory_of_what_was_booked_is_bounded_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "REMEMBERED_LEAST", 10)
    ledger = Ledger()
    for day in range(100):
        ledger.post(f"day:{day}", day * DAY_MS, "test", None, ())
    assert len(ledger.seen) == REMEMBERED_MS // DAY_MS + 1
    assert ledger.knows("day:99")
    assert not ledger.knows("day:0")


def test_the_last_facts_are_remembered_however_long_nothing_was_booked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "REMEMBERED_LEAST", 10)
    ledger = Ledger()
    for number in range(30):
        ledger.post(f"fact:{number}", number, "test", None, ())
    ledger.post("much later", 100 * DAY_MS, "test", None, ())
    assert list(ledger.seen) == [*(f"fact:{number}" for number in range(21, 30)), "much later"]


def test_equal_amounts_written_differently_have_the_same_link() -> None:
    plain, long = (Entry("a", "USDT", Decimal(text)) for text in ("100", "1.00E+2"))
    assert link("", 1, "x", 0, "k", None, [plain]) == link("", 1, "x", 0, "k", None, [long])
