"""P4-like: events a second of a session in virtual time, beside a bare loop over the same events.

Options: hours, repeats.

The session is the product's own: engine, ledger, rules, execution and the simulated exchange on its embedded history,
in steps of one hour. The bare loop takes each event once and keeps the newest of each subject.
"""

from time import perf_counter

from benchmarks import child
from bot.domain.config import CoreConfig
from bot.domain.events import Event
from bot.domain.market import Liquidity, Mark, Quote, SettledRate
from bot.domain.time import DAY_MS, HOUR_MS
from bot.research.direct import DirectVenue
from bot.research.session import VirtualSession
from bot.simulator.market import HistoryMarket


def session(market: HistoryMarket) -> VirtualSession:
    """At the beginning of the history that can be traded."""
    return VirtualSession(market, CoreConfig(), start_ms=market.start_ms, step_ms=HOUR_MS)


def events(venue: DirectVenue, start_ms: int, hours: int) -> list[Event]:
    """The market's events of the same hours."""
    found: list[Event] = []
    for hour in range(1, hours + 1):
        at_ms = start_ms + hour * HOUR_MS
        found += venue.frames(at_ms)
        found += venue.rates(at_ms - HOUR_MS, at_ms)
        if at_ms % DAY_MS < HOUR_MS:
            found += venue.liquidity(at_ms)
    return found


def bare(given: list[Event]) -> int:
    """Keep the newest of each subject."""
    quotes: dict[str, Quote] = {}
    marks: dict[str, Mark] = {}
    others = 0
    for event in given:
        if isinstance(event, Quote):
            quotes[event.instrument] = event
        elif isinstance(event, Mark):
            marks[event.instrument] = event
        elif isinstance(event, SettledRate | Liquidity):
            others += 1
    return len(quotes) + len(marks) + others


def run(hours: int, repeats: int) -> None:
    for _ in range(repeats):
        market = HistoryMarket.embedded()
        running = session(market)
        before, start_ms = running.seq, running.market_ms
        began = perf_counter()
        running.run_until(start_ms + hours * HOUR_MS)
        took_s = perf_counter() - began
        same = events(running.venue, start_ms, hours)
        began = perf_counter()
        bare(same)
        bare_s = perf_counter() - began
        child.say(
            product=(running.seq - before) / took_s,
            bare=len(same) / bare_s,
            events=running.seq - before,
            hedges=len(running.state.hedges),
            records=sum(running.records.values()),
        )


if __name__ == "__main__":
    chosen = child.options()
    run(chosen["hours"], chosen["repeats"])
