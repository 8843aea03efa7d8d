"""What the engine is given at start, after a clean stop and after a kill."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import book_records as make
import pytest

from bot.cli.money import Money, epoch_min
from bot.domain.actions import ControlSet, LastPrice, TransferEnded
from bot.domain.guards import Remembered
from bot.domain.hedges import Control, HedgeState, Removal
from bot.domain.orders import OrderState
from bot.domain.time import DAY_MS
from bot.store import audit, queries
from bot.store.database import SqlStore
from bot.store.reader import SqlReader


async def test_empty_books(url: str) -> None:
    async with SqlStore(url, clock=lambda: 77) as store:
        books = await store.load()
    assert (books.epoch, books.hedges, books.orders, books.chain, books.control) == (1, [], [], "", None)
    assert (books.hedge_count, books.transaction_count, books.transfer_count, books.last_market_ms) == (0, 0, 0, 0)
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        assert await queries.epochs(connection) == [queries.Epoch(1, 77)]


async def test_each_load_is_a_new_epoch(url: str) -> None:
    for epoch in (1, 2, 3):
        async with SqlStore(url) as store:
            assert (await store.load()).epoch == epoch


async def test_live_hedges_come_with_the_orders_that_are_not_settled(url: str) -> None:
    live, closed = make.hedge(1), make.hedge(2, HedgeState.CLOSED)
    quarantined = make.hedge(3, HedgeState.QUARANTINED, coin="ETH")
    settled = make.order(2, OrderState.FILLED, filled="0.5", fills="0.5")
    unbooked = make.order(3, OrderState.CANCELLED, filled="0.5", fills="0.25")
    unknown = make.order(4, OrderState.UNKNOWN)
    async with SqlStore(url) as store:
        await store.commit(make.persist(*(make.intent(number) for number in range(1, 5))))
        await store.commit(make.persist(live, closed, quarantined, settled, unbooked, unknown))
        await store.commit(make.persist(make.fill(1, 2), make.fill(2, 3)))
        books = await store.load()
    unbooked.fill_keys = {make.fill(2).key}
    live.order_ids = ["c1", "c3", "c4"]
    assert books.hedges == [live, quarantined]
    assert books.hedge_count == 3
    assert books.orders[1:] == [unbooked, unknown]
    assert books.orders[0].intent == make.intent(1)
    assert books.orders[0].state is OrderState.INTENDED


async def test_the_eight_hedges_that_each_coin_had_last_come_though_they_are_closed(url: str) -> None:
    """What earlier ones left may still be paid, charged, or taken by the venue."""
    of_coin = [make.hedge(number, HedgeState.CLOSED) for number in (1, 2, 4, 6, 7, 8, 9, 10, 11)]
    reverse, other = make.hedge(3, HedgeState.CLOSED), make.hedge(5, HedgeState.CLOSED, coin="ETH")
    reverse.strategy = "reverse_carry"
    async with SqlStore(url) as store:
        await store.commit(make.persist(*of_coin, reverse, other, make.hedge(12)))
        books = await store.load()
    assert [hedge.number for hedge in books.closed] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert books.closed[0] == of_coin[1]


async def test_an_intent_and_its_order_in_one_step_in_any_order(url: str) -> None:
    async with SqlStore(url) as store:
        sent = make.order(1, OrderState.LIVE)
        await store.commit(make.persist(sent, make.intent(1)))
        assert (await store.load()).orders == [sent]


async def test_what_rules_remember_is_the_newest_and_not_what_they_forgot(url: str) -> None:
    high = Remembered("R5", "", "high", make.D("1000000.5"), 7)
    cut = Remembered("R6", "h1", "cut", make.D("0.25"), 8)
    async with SqlStore(url) as store:
        await store.commit(make.persist(Remembered("R5", "", "high", make.D(9), 6), high, cut))
        await store.commit(make.persist(Remembered("R6", "h1", "cut", make.D(0), 9)))
        books = await store.load()
    assert books.remembered == [high]


async def test_the_ledger_as_it_stands(url: str) -> None:
    booked = make.transactions(30)
    async with SqlStore(url) as store:
        await store.commit(make.persist(*booked))
        books = await store.load()
    total = sum((make.D(f"{number}.25") for number in range(1, 31)), make.D(0))
    assert books.balances == {("binance:perp", "USDT"): total, ("funding:h1", "USDT"): -total}
    assert (books.transaction_count, books.chain) == (30, booked[-1].chain)
    assert books.transaction_ids == {transaction.id for transaction in booked}


async def test_a_missing_number_is_not_given_out_again(url: str) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.hedge(4), make.transaction(9)))
        books = await store.load()
    assert (books.hedge_count, books.transaction_count) == (4, 9)


async def test_only_the_last_days_are_handed_over(url: str) -> None:
    now = make.T0 + 100 * DAY_MS
    async with SqlStore(url) as store:
        days = (0, 64, 65, 99)
        await store.commit(
            make.persist(
                *(make.receipt(day, settled_ms=make.T0 + day * DAY_MS) for day in days),
                *(make.transaction(day + 1, at_ms=make.T0 + day * DAY_MS) for day in days),
                make.transaction(200, at_ms=now),
            )
        )
        books = await store.load()
    assert books.last_market_ms == now
    assert [receipt.venue_id for receipt in books.recent_receipts] == ["r65", "r99"]
    assert books.transaction_ids == {"funding:66", "funding:100", "funding:200"}


async def test_the_newest_market_time_is_of_any_intent_too(url: str) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.intent(5)))
        assert (await store.load()).last_market_ms == make.T0 + 5
        await store.commit(make.persist(make.transfer(9)))
        assert (await store.load()).last_market_ms == make.T0 + 9


async def test_transfers_states_prices_and_control(url: str) -> None:
    removal = Removal("binance", "BTC", 1, negative_days=5, removed=True, removed_ms=3, reason="R1")
    price = LastPrice(make.SPOT, make.D("97000.5"), 5)
    halted = ControlSet(Control.HALTED, "owner", 6)
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.transfer(1), make.transfer(2), removal, price))
        await store.commit(make.persist(TransferEnded("x1", True, "v", "")))
        await store.commit(make.persist(ControlSet(Control.RUNNING, "start", 4), halted))
        books = await store.load()
    assert books.transfers == [make.transfer(2)]
    assert books.transfer_count == 2
    assert (books.removals, books.prices, books.control) == ([removal], [price], halted)


WRITER = """
import asyncio, sys
import book_records as make
from bot.store.database import SqlStore

async def main(url):
    async with SqlStore(url) as store:
        books = await store.load()
        number, chain = books.transaction_count, books.chain
        while True:
            number += 1
            booked = make.transaction(number, previous=chain)
            chain = booked.chain
            records = (make.intent(number), make.receipt(number), booked, make.hedge(number))
            await store.commit(make.persist(*records))
            print(number, flush=True)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("kill_after", [1, 17, 60])
async def test_what_was_committed_survives_a_kill(url: str, kill_after: int) -> None:
    for _life in range(2):
        told = _killed_after(url, kill_after)
        async with SqlStore(url) as store:
            books = await store.load()
        # The commit that the kill fell into may have happened; all that were acknowledged did.
        assert told <= books.transaction_count <= told + 1
        assert len(books.orders) == books.hedge_count == len(books.recent_receipts) == books.transaction_count
        async with SqlReader(url) as reader, reader.snapshot() as connection:
            check = await audit.verify_chain(connection)
            [total] = await queries.receipt_totals(connection)
        assert check.sound
        assert check.transactions == total.receipts == books.transaction_count


def _killed_after(url: str, commits: int) -> int:
    """Run the writer until it has told of so many commits, kill it, and return the last number that it told."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        assert writer.stdout is not None
        for _ in range(commits):
            line = writer.stdout.readline()
            assert line, "the writer ended by itself"
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        told = [entry for entry in rest if entry]
    return int(told[-1] if told else line)


async def test_new_books_about_an_account_that_had_others_share_no_epoch_with_them(
    empty_books: Path, tmp_path: Path
) -> None:
    """The first ones are lost, or lie in another folder; a client id of theirs must not come a second time."""
    seen = []
    for second in (1_800_000_000, 1_800_000_900):
        path = shutil.copy(empty_books, tmp_path / f"{second}.db")
        for start in (second, second + 60, second - 60):
            async with SqlStore(f"sqlite:///{path}", epoch_min=start) as store:
                seen.append((await store.load()).epoch)
    assert seen == sorted(set(seen))


def test_only_a_real_account_outlives_its_books() -> None:
    assert epoch_min(Money.REAL) > 1_700_000_000
    assert {epoch_min(Money.PAPER), epoch_min(Money.SIMULATED)} == {1}
