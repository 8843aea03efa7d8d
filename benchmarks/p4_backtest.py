"""P4: events a second and peak memory of a backtest by the hour, all rules on, beside a bare loop over its events.

Options: data (folder of recordings), coins, from_ms, days, bare (whether to run the loop as well).

What is timed is `bot.research.backtest.run`: market, engine, ledger, rules, execution, simulated exchange,
attribution and the yardstick; not the reading of files. The bare loop takes each market event once and keeps the
newest of each subject; it is given a day's events at a time, ready made. Seconds are those of the processor.
"""

import resource
from decimal import Decimal
from pathlib import Path
from time import process_time

from benchmarks import child
from benchmarks.coins import recordings
from bot.domain.config import CoreConfig, Limits
from bot.domain.events import Event
from bot.domain.market import Liquidity, Mark, Quote, SettledRate
from bot.domain.time import DAY_MS, HOUR_MS
from bot.research.backtest import Question, run
from bot.research.bars import BarMarket
from bot.research.recordings import Recording
from bot.research.replay import BarVenue
from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Book


def bare(given: list[Event], quotes: dict[str, Quote], marks: dict[str, Mark]) -> int:
    """Keep the newest of each subject."""
    others = 0
    for event in given:
        if isinstance(event, Quote):
            quotes[event.instrument] = event
        elif isinstance(event, Mark):
            marks[event.instrument] = event
        elif isinstance(event, SettledRate | Liquidity):
            others += 1
    return others


def loop(recorded: list[Recording], from_ms: int, until_ms: int) -> float:
    """Market events a second of the bare loop."""
    market = BarMarket(recorded, from_ms, until_ms, HOUR_MS)
    venue = BarVenue(market, Exchange(market, {"": {Book.PERP: {"USDT": Decimal(0)}}}, from_ms, seed=1))
    quotes: dict[str, Quote] = {}
    marks: dict[str, Mark] = {}
    count, took_s = 0, 0.0
    day: list[Event] = []
    for index, at_ms in enumerate(market.times_ms):
        day += venue.frames_of(index, at_ms)
        day += venue.rates(at_ms - HOUR_MS, at_ms)
        if at_ms % DAY_MS == 0 or index + 1 == len(market.times_ms):
            day += venue.liquidity_of(index, everything=True)
            began = process_time()
            bare(day, quotes, marks)
            took_s += process_time() - began
            count += len(day)
            day.clear()
    return count / took_s


def measure(data: Path, coins: int, from_ms: int, days: int, *, beside: bool) -> None:
    until_ms = from_ms + days * DAY_MS
    recorded = recordings(data, coins, from_ms, until_ms)
    question = Question(from_ms, until_ms, CoreConfig(limits=Limits(cash_rate=0)), grid_ms=HOUR_MS)
    began = process_time()
    answer = run(recorded, question)
    took_s = process_time() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    child.say(
        product=answer.events / took_s,
        cpu_us=took_s / answer.events * 1e6,
        bare=loop(recorded, from_ms, until_ms) if beside else 0.0,
        events=answer.events,
        coins=len(answer.coins),
        trades=answer.total.trades,
        deployed=answer.total.deployed,
        seconds=took_s,
        peak_mb=peak_mb,
    )


if __name__ == "__main__":
    chosen = child.options()
    measure(Path(chosen["data"]), chosen["coins"], chosen["from_ms"], chosen["days"], beside=chosen["bare"])
