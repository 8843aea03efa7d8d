"""The ledger proves itself, an altered past does not, and profit is split by source."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import book_records as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import LastPrice
from bot.domain.hedges import HedgeState
from bot.domain.numbers import text
from bot.ledger.chain import link
from bot.store import audit
from bot.store.database import SqlStore
from bot.store.reader import SqlReader
from bot.store.statements import add_texts


@pytest.fixture
async def booked(url: str) -> str:
    async with SqlStore(url) as store:
        await store.commit(make.persist(*make.transactions(40)))
    return url


async def check(url: str, newest: int | None = None) -> audit.LedgerCheck:
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        return await audit.verify_chain(connection, newest=newest)


async def test_a_sound_ledger(booked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_AT_ONCE", 7)
    chain = make.transactions(40)[-1].chain
    assert await check(booked) == audit.LedgerCheck(40, chain, ())
    assert await check(booked, newest=10) == audit.LedgerCheck(10, chain, ())
    assert await check(booked, newest=1_000) == audit.LedgerCheck(40, chain, ())


async def test_an_empty_ledger_is_sound(url: str) -> None:
    assert (await check(url)).sound


FORGERIES = {
    "an amount": ("UPDATE ledger_entries SET amount = '3' WHERE number = 7 AND line = 0", "transaction 7 or"),
    "a time": ("UPDATE ledger_transactions SET at_ms = 5 WHERE number = 7", "transaction 7 or"),
    "a link": ("UPDATE ledger_transactions SET chain = 'x' WHERE number = 7", "transaction 7 or"),
    "an account": ("UPDATE ledger_entries SET account = 'me' WHERE number = 7 AND line = 1", "transaction 7 or"),
    "a lost line": ("DELETE FROM ledger_entries WHERE number = 7 AND line = 1", "transaction 7 or"),
    "a lost transaction": ("DELETE FROM ledger_transactions WHERE number = 7", "transaction 7 is missing"),
    "a lost beginning": ("DELETE FROM ledger_transactions WHERE number < 7", "transaction 7 or"),
    "a lost end": ("DELETE FROM ledger_transactions WHERE number > 7", "kept balance"),
    "a balance": ("UPDATE ledger_balances SET balance = '1'", "the kept balance of binance:perp in USDT"),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_found(booked: str, path: Path, name: str) -> None:
    sql, expected = FORGERIES[name]
    with closing(sqlite3.connect(path)) as books:
        for table in ("ledger_transactions", "ledger_entries"):
            books.execute(f"DROP TRIGGER {table}_no_update")
            books.execute(f"DROP TRIGGER {table}_no_delete")
        books.execute(sql)
        books.commit()
    found = await check(booked)
    assert not found.sound
    assert any(expected in line for line in found.broken), found.broken


async def test_an_unbalanced_transaction_is_found(url: str) -> None:
    whole = make.transaction(1)
    half = replace(whole, entries=whole.entries[:1], chain="")
    half = replace(half, chain=link("", 1, half.id, half.at_ms, half.kind, half.hedge_id, half.entries))
    async with SqlStore(url) as store:
        await store.commit(make.persist(half))
    assert (await check(url)).broken == ("transaction 1 does not sum to zero",)


async def test_transactions_are_listed_with_their_entries(booked: str) -> None:
    all_of_them = make.transactions(40)[::-1]
    async with SqlReader(booked) as reader, reader.snapshot() as connection:
        assert await audit.transactions(connection) == all_of_them
        assert await audit.transactions(connection, account="binance:perp", limit=3) == all_of_them[:3]
        assert await audit.transactions(connection, account="nobody") == []
        assert await audit.transactions(connection, hedge_id="h1", since_ms=make.T0, limit=1) == all_of_them[:1]
        assert len(await audit.balances(connection)) == 2


async def test_profit_is_split(url: str) -> None:
    held, gone, eth = make.hedge(1), make.hedge(2, HedgeState.CLOSED), make.hedge(3, coin="ETH")
    held.funding_usd, held.fees_usd, held.slippage_usd = make.D("30"), make.D("40"), make.D("5")
    gone.funding_usd = make.D("7")
    for leg in gone.legs:
        leg.quantity_base = leg.cost_quote = make.D(0)
        leg.realized_quote = make.D("1.5")
    spot, perp = (leg.instrument for leg in held.legs)
    prices = LastPrice(spot, make.D("98000"), 1), LastPrice(perp, make.D("98010"), 1)
    async with SqlStore(url) as store:
        await store.commit(make.persist(held, gone, eth, *prices))
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        btc, other = await audit.pnl(connection)
    # Spot: 0.5 x 98,000 - 48,500 = 500; perp: -0.5 x 98,010 + 48,600 = -405; realised 2 x 1.5.
    assert btc == audit.CoinPnl("BTC", 2, make.D(37), make.D(98), make.D(40), make.D(5), 0)
    assert btc.basis_usd == 103
    assert btc.total_usd == 37 + 103 - 40 - 5
    assert (other.coin, other.unpriced, other.price_usd) == ("ETH", 2, 0)


@given(st.lists(make.money, max_size=20), st.randoms(use_true_random=False))
def test_the_databases_sum_is_exact_in_any_order(amounts: list[Decimal], random) -> None:
    total = "0"
    random.shuffle(amounts)
    for amount in amounts:
        total = add_texts(total, text(amount))
    assert Fraction(Decimal(total)) == sum((Fraction(amount) for amount in amounts), Fraction(0))
