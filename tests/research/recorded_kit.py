"""A small directory of made-up recordings in the documented layout, for backtests that end in seconds."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

from bot.domain.time import DAY_MS, HOUR_MS

START_MS = 1_672_531_200_000  # 2023-01-01
EIGHT_MS = 8 * HOUR_MS


def write(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode(), mtime=0))


def make(
    folder: Path,
    *,
    coins: tuple[str, ...] = ("BTC", "ETH", "ADA"),
    days: int = 60,
    price: Callable[[str, int, float], float] = lambda _coin, _at_ms, price: price,
    rate: Callable[[str, int, float], float] = lambda _coin, _at_ms, rate: rate,
    spot_missing: Callable[[str, int], bool] = lambda _coin, _at_ms: False,
    from_day: dict[str, int] | None = None,
    until_day: dict[str, int] | None = None,
) -> Path:
    """Hourly candles and 8-hourly rates from 40 days before START_MS; the hooks change a row by coin and its end."""
    for coin in coins:
        dice = random.Random(coin)
        level, basis = {"BTC": 20_000.0, "ETH": 1_500.0}.get(coin, 0.4), 2e-4
        first = START_MS - 40 * DAY_MS + (from_day or {}).get(coin, 0) * DAY_MS
        last = START_MS + (until_day or {}).get(coin, days) * DAY_MS
        spot, perp, rates = [], [], []
        for at_ms in range(START_MS - 40 * DAY_MS, START_MS + days * DAY_MS + 1, HOUR_MS):
            level *= 1 + dice.gauss(0, 0.005)
            basis += dice.gauss(0, 1e-4) - 0.1 * (basis - 2e-4)
            settled = dice.gauss(1e-4, 1.5e-4)
            if not first < at_ms <= last:
                continue
            close = price(coin, at_ms, level)
            volume = 1e8 / close
            if not spot_missing(coin, at_ms):
                spot.append(f"{at_ms - HOUR_MS},{close:.8g},{volume:.6g}")
            perp.append(f"{at_ms - HOUR_MS},{close * (1 + basis):.8g},{volume:.6g}")
            if at_ms % EIGHT_MS == 0:
                rates.append(f"{at_ms + 7},{rate(coin, at_ms, settled):.8f}")
        write(folder / f"klines/binance/spot/{coin}USDT-1h.csv.gz", "open_time_ms,close,volume", spot)
        write(folder / f"klines/binance/um-perp/{coin}USDT-1h.csv.gz", "open_time_ms,close,volume", perp)
        write(folder / f"funding/binance-usdm/{coin}USDT.csv.gz", "timestamp_ms,funding_rate", rates)
    return folder
