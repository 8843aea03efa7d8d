"""Settled rates that the daemon recorded, out of its books; read-only, also beside a running daemon."""

from bot.domain.instruments import Kind, instrument_id
from bot.research.funding_stats_source import FundingError, Rates, Settlement, parts_of
from bot.store import queries
from bot.store.reader import SqlReader

ROWS_MAX = 1_000_000


async def from_books(url: str, venue: str, wanted: str) -> Rates:
    """The stored settlements of a coin's (or symbol's) perpetual. Raises FundingError or StoreError."""
    symbols = [wanted.upper(), *(wanted.upper() + quote for quote in ("USDT", "USDC", "USD"))]
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        for symbol in symbols:
            instrument = instrument_id(venue, symbol, Kind.PERP)
            rows = await queries.rates(connection, instrument, limit=ROWS_MAX)
            if rows:
                ordered = sorted(rows, key=lambda row: row.settled_ms)
                found = tuple(Settlement(each.settled_ms, each.rate) for each in ordered)
                return Rates(parts_of(symbol)[0], symbol, venue, reader.name, found)
    raise FundingError(
        f"the books have no rates of {wanted} at {venue}",
        "the daemon records the coins of its universe while it runs; name a data directory with --data instead",
    )
