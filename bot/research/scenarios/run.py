"""Runs a scenario, once as it is and once for each rule that must act with that rule disarmed."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bot.domain.time import DAY_MS, HOUR_MS
from bot.research.scenarios.candles import read_coin
from bot.research.scenarios.disarm import OFF
from bot.research.scenarios.invariants import Invariants
from bot.research.scenarios.language import Act, Drawn, Recorded, Scenario
from bot.research.scenarios.market import CoinMarket, StagedMarket, Stretch
from bot.research.scenarios.record import Record, Watch
from bot.research.scenarios.session import WARM_UP_MS, StagedSession
from bot.research.scenarios.track import DrawnTrack, RecordedTrack
from bot.simulator.market.filters import PERP_FACTS
from bot.simulator.market.funding import FundingSchedule

OLD_MS = 400 * DAY_MS
"""Age of what is drawn, or of unknown age, at the start."""


@dataclass(frozen=True, slots=True)
class Run:
    record: Record
    invariants: Invariants


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scenario as it went, and beside it what each act's rule, disarmed, would have left undone."""

    scenario: Scenario
    base: Run
    without: dict[Act, Run]


def play(scenario: Scenario, data: Path, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Raises HistoryError where the recorded data that the scenario needs is not in `data`."""
    market = stage(scenario, data)
    progress(f"{scenario.name}")
    base = run(scenario, market, None)
    without: dict[Act, Run] = {}
    by_rule: dict[tuple[str, bool], Run] = {}
    for act in scenario.acts:
        key = act.rule, act.off is not None
        if key not in by_rule or act.off is not None:
            progress(f"{scenario.name}, {act.rule} off")
            by_rule[key] = run(scenario, market, act)
        without[act] = by_rule[key]
    return Outcome(scenario, base, without)


def run(scenario: Scenario, market: StagedMarket, off: Act | None) -> Run:
    """One run; with `off` its rule is disarmed from the moment on when the book stands."""
    judged_ms = scenario.ms(scenario.judged_from)
    invariants = Invariants(legs_may_part=scenario.unhedged_by_design or off is not None)
    watch = Watch(judged_ms, invariants)
    edit = scenario.config
    if off is not None:
        disarm = off.off or OFF.get(off.rule)
        edit = disarm(scenario.config) if disarm is not None else scenario.config
    session = StagedSession(scenario, market, scenario.config, watch.hear, invariants.submit)
    watch.session = session
    session.run(watch.look, edit, off=off is not None)
    invariants.finish(session)
    return Run(watch.record, invariants)


def stage(scenario: Scenario, data: Path) -> StagedMarket:
    """The scenario's market: recorded coins from `data`, drawn ones from their lines."""
    coins = [
        _recorded(scenario, coin, data) if isinstance(coin, Recorded) else _drawn(scenario, coin)
        for coin in scenario.coins
    ]
    stretches = [
        Stretch(
            scenario.ms(one.at), scenario.ms(one.until), one.coin, one.half_spread_bps, one.depth_usd, one.spot_halted
        )
        for one in scenario.books
    ]
    return StagedMarket(coins, scenario.start_ms, stretches + _recorded_halts(scenario, data))


def _recorded(scenario: Scenario, coin: Recorded, data: Path) -> CoinMarket:
    start_ms, end_ms = scenario.start_ms, scenario.end_ms
    record = read_coin(data, coin.symbol, start_ms - 2 * DAY_MS, end_ms + DAY_MS, start_ms - WARM_UP_MS)
    schedule = FundingSchedule(record.rates, record.rates[0][0], record.rates[-1][0])
    known = PERP_FACTS.get(coin.symbol)
    listed_ms = known.listed_ms if known is not None and known.listed_ms is not None else start_ms - OLD_MS
    return CoinMarket(record.coin, coin.symbol, record.multiplier, RecordedTrack(record), schedule, listed_ms)


def _drawn(scenario: Scenario, coin: Drawn) -> CoinMarket:
    start_ms = scenario.start_ms
    track = DrawnTrack(start_ms, coin.price, coin.basis_bps, coin.volume_usd)
    first_ms = (start_ms - WARM_UP_MS) // DAY_MS * DAY_MS
    rates = tuple(
        (at_ms, Decimal(f"{coin.rate.at((at_ms - start_ms) / HOUR_MS):.8f}"))
        for at_ms in range(first_ms, scenario.end_ms + 2 * DAY_MS, coin.every_h * HOUR_MS)
    )
    schedule = FundingSchedule(rates, rates[0][0], rates[-1][0])
    return CoinMarket(coin.coin, f"{coin.coin}USDT", Decimal(1), track, schedule, start_ms - OLD_MS)


def _recorded_halts(scenario: Scenario, data: Path) -> list[Stretch]:
    """Hours in which the named spot has no trade, in one piece where they follow each other."""
    if not scenario.halts_from:
        return []
    start_ms = scenario.start_ms
    record = read_coin(
        data, scenario.halts_from, start_ms - 2 * DAY_MS, scenario.end_ms + DAY_MS, start_ms - WARM_UP_MS
    )
    step = record.spot.interval_ms
    halts: list[Stretch] = []
    for open_ms in range(start_ms // step * step, scenario.end_ms, step):
        if open_ms in record.spot.by_open_ms:
            continue
        if halts and halts[-1].until_ms == open_ms:
            halts[-1] = Stretch(halts[-1].from_ms, open_ms + step, spot_halted=True)
        else:
            halts.append(Stretch(open_ms, open_ms + step, spot_halted=True))
    return halts
