"""Builds the embedded history table from a directory of recordings: `python -m ... build_table DATA_DIR`.

24 coins as recorded from 16 September to 31 December 2024, and one instrument re-dated: no Binance coin of
the recording changes its funding interval in these months, so the one that did while it traded, SOLUSDT in
November 2022 (8 h, 4 h, 2 h, 8 h again), is replayed 110 weeks later under its own symbol, SOL22USDT.
docs/history-table.md states the method and the sources.
"""

import argparse
import dataclasses
import datetime as dt
import logging
from decimal import Decimal
from pathlib import Path

from bot.simulator.market.directory import RETURN_DAYS, read_directory
from bot.simulator.market.table import DAY_MS, CoinHistory, Table, write_table

FROM_MS = 1_726_444_800_000
"""2024-09-16 00:00 UTC: the youngest coin, POL, has traded for two days."""
TRADING_FROM_MS = 1_730_419_200_000
"""2024-11-01 00:00 UTC."""
UNTIL_MS = 1_735_689_600_000
"""2025-01-01 00:00 UTC, the end of the last recorded candle."""
DEMO_START_MS = 1_733_961_600_000
"""2024-12-12 00:00 UTC: every coin's 30-day mean is positive; SUI turns six days later, SOL seven."""
REDATED_SYMBOL = "SOL22USDT"
REDATED_FROM = "SOLUSDT"
REDATED_DAYS = 770
RATE_QUANTUM = Decimal("1e-8")


def build(data_dir: Path) -> Table:
    """The embedded table, computed from the recordings in `data_dir`. Raises HistoryError."""
    table = read_directory(data_dir, FROM_MS, UNTIL_MS, trading_from_ms=TRADING_FROM_MS, demo_start_ms=DEMO_START_MS)
    earlier = read_directory(
        data_dir,
        FROM_MS - REDATED_DAYS * DAY_MS,
        UNTIL_MS - REDATED_DAYS * DAY_MS,
        symbols=(REDATED_FROM,),
    )
    coins = (*table.coins, redated(earlier.coins[0], REDATED_SYMBOL, REDATED_DAYS))
    return dataclasses.replace(table, coins=tuple(_eight_decimals(coin) for coin in coins))


def redated(coin: CoinHistory, symbol: str, days: int) -> CoinHistory:
    """The coin's rows moved later by whole days, under another symbol."""
    return dataclasses.replace(
        coin,
        symbol=symbol,
        spot_symbol=symbol,
        coin=symbol.removesuffix("USDT"),
        settlements=tuple((at_ms + days * DAY_MS, rate) for at_ms, rate in coin.settlements),
        redated_days=days,
    )


def _eight_decimals(coin: CoinHistory) -> CoinHistory:
    """Rates as the venue prints them; a recording that passed through binary floats is rounded back."""
    settlements = tuple((at_ms, rate.quantize(RATE_QUANTUM)) for at_ms, rate in coin.settlements)
    return dataclasses.replace(coin, settlements=settlements)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data_dir", type=Path, metavar="DATA_DIR")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    table = build(options.data_dir)
    write_table(table, options.out)
    log = logging.getLogger("build_table")
    log.info("%d coins, %s", len(table.coins), ", ".join(coin.symbol for coin in table.coins))
    for symbol, why in table.skipped.items():
        log.info("left out %s: %s", symbol, why)
    ends = [dt.datetime.fromtimestamp(ms / 1000, dt.UTC) for ms in (table.from_ms, table.until_ms)]
    log.info("%s to %s, then %d days of return", ends[0].date(), ends[1].date(), RETURN_DAYS)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
