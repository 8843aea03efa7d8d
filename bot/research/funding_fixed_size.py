"""What a short of fixed coin size was paid: each settlement on the price of its moment, over the notional at entry.

A settlement is paid to who held before it, so that the short is entered at the settlement before the window's first
(or at the first one, where nothing before it is recorded). Prices are the recorded marks where all are there, else
the perpetual's closes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.research.funding_stats_source import Rates, Settlement
from bot.research.history.tables import find_table, table_rows
from bot.research.recordings import INTERVALS
from bot.simulator.market.table import integer, price

MARKS = "recorded marks"
NOT_PERPS = ("spot", "mark", "index", "mid")
"""Folders of candles whose names have one of these words hold other prices."""


@dataclass(frozen=True, slots=True)
class FixedSize:
    """Shares are fractions of the notional at entry, positive when the short received. Prices in quote currency."""

    share: float
    entry_ms: int
    entry_price: float
    share_from_first: float
    """The same for a short that is entered at the first settlement itself and yet paid by it."""
    prices: str


def fixed_size(rates: Rates, settlements: Sequence[Settlement]) -> FixedSize | None:
    """None where a settlement of the window has no price."""
    first = rates.settlements.index(settlements[0])
    entry = rates.settlements[max(0, first - 1)]
    marks = {each.at_ms: each.mark for each in (entry, *settlements) if each.mark is not None}
    found: Mapping[int, float] = marks
    if any(each.at_ms not in found for each in settlements):
        found = rates.closes
    if any(each.at_ms not in found for each in settlements):
        return None
    if entry.at_ms not in found:
        entry = settlements[0]
    received = sum(float(each.rate) * found[each.at_ms] for each in settlements)
    price_at_entry = found[entry.at_ms]
    return FixedSize(
        received / price_at_entry,
        entry.at_ms,
        price_at_entry,
        received / found[settlements[0].at_ms],
        MARKS if found is marks else rates.closes_source,
    )


def with_closes(directory: Path, rates: Rates) -> Rates:
    """The rates with the perpetual's closes out of `DIR/klines`, where they are recorded. Raises HistoryError.

    Rates of `funding/binance-usdm` have their candles in a folder of `klines/binance`.
    """
    wanted = {each.at_ms for each in rates.settlements}
    for folder in sorted((directory / "klines" / rates.venue.partition("-")[0]).glob("*")):
        if any(word in folder.name for word in NOT_PERPS):
            continue
        for interval, length_ms in INTERVALS.items():
            path = find_table(folder, f"{rates.symbol}-{interval}")
            if path is not None:
                closes = _closes(path, length_ms, wanted)
                return replace(rates, closes=closes, closes_source=f"closes of {interval} candles")
    return rates


def _closes(path: Path, length_ms: int, wanted: set[int]) -> dict[int, float]:
    found = {}
    for line, (open_text, close_text) in table_rows(path, ("open_time_ms", "close")):
        end_ms = integer(path, line, "open_time_ms", open_text) + length_ms
        if end_ms in wanted:
            found[end_ms] = price(path, line, "close", close_text)
    return found
