"""Interest on borrowed coins in the books: kept with its hedge, and a part of its profit and loss."""

import book_records as make

from bot.domain.instruments import Kind
from bot.observe.views import pnl_view
from bot.store import audit, queries
from bot.store.database import SqlStore
from bot.store.reader import SqlReader


async def test_interest_is_kept_and_is_a_cost(url: str) -> None:
    hedge = make.hedge(1)
    owed, long = hedge.legs
    owed.kind, owed.direction, long.direction = Kind.MARGIN, -1, 1
    hedge.funding_usd, hedge.borrow_usd = make.D("30"), make.D("3.00000001")
    async with SqlStore(url) as store:
        await store.commit(make.persist(hedge))
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        (stored,) = await queries.hedges(connection)
        (coin,) = await audit.pnl(connection)
    assert (stored.borrow_usd, stored.direction, stored.legs[0].kind) == (make.D("3.00000001"), -1, Kind.MARGIN)
    assert coin.borrow_usd == make.D("3.00000001")
    assert coin.total_usd == coin.funding_usd + coin.basis_usd - make.D("3.00000001")
    view = pnl_view([(stored, make.D(1))])
    assert view["borrow_usd"] == -3.00000001
    assert view["total_usd"] == view["funding_usd"] + view["basis_usd"] + view["borrow_usd"]
