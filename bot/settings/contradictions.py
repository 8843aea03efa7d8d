"""Settings that are each valid and cannot stand together. Each check names every key that is part of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.config import CoreConfig
from bot.settings.document import KeyPath
from bot.settings.environment import variable_of
from bot.settings.shell import Shell, Venue

ANY_HOST = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`path` is the key to look at first; `wrong` names the `other` one too.

    With `defaults_yield` it is none as long as the value at `path` is a default.
    """

    path: KeyPath
    other: KeyPath
    wrong: str
    remedy: str
    defaults_yield: bool = False


def find(core: CoreConfig, shell: Shell) -> Iterator[Contradiction]:
    yield from _core(core)
    yield from _coins(core)
    yield from _ports(shell)
    yield from _venues(shell)
    for name, venue in shell.venues.items():
        yield from _venue(name, venue)


def _core(core: CoreConfig) -> Iterator[Contradiction]:
    yield from _drift(core)
    distance = core.limits.liquidation
    if distance.min >= distance.warn:
        yield Contradiction(
            ("limits", "liquidation", "min"),
            ("limits", "liquidation", "warn"),
            f"{distance.min} is not below limits.liquidation.warn ({distance.warn})",
            "margin is moved at warn, both legs are cut at min: lower min or raise warn",
        )
    drawdown, spread = core.limits.drawdown, core.limits.spread
    if drawdown.soft >= drawdown.hard:
        yield Contradiction(
            ("limits", "drawdown", "soft"),
            ("limits", "drawdown", "hard"),
            f"{drawdown.soft} is not below limits.drawdown.hard ({drawdown.hard})",
            "hedges are reduced at soft, everything is closed at hard: lower soft or raise hard",
        )
    if spread.reduce_z >= spread.add_z:
        yield Contradiction(
            ("limits", "spread", "reduce_z"),
            ("limits", "spread", "add_z"),
            f"{spread.reduce_z:g} is not below limits.spread.add_z ({spread.add_z:g})",
            "a widening is reduced at reduce_z and added to at the turn from add_z: lower reduce_z or raise add_z",
        )
    loans = core.reverse_carry
    if loans.rate_max > loans.rate_alarm:
        yield Contradiction(
            ("reverse_carry", "rate_max"),
            ("reverse_carry", "rate_alarm"),
            f"{loans.rate_max:g} is above reverse_carry.rate_alarm ({loans.rate_alarm:g})",
            "what is opened must not be alarming at once: lower rate_max or raise rate_alarm",
        )
    strategy, execution = core.strategy, core.execution
    if strategy.fast_half_life_h >= strategy.slow_half_life_h:
        yield Contradiction(
            ("strategy", "fast_half_life_h"),
            ("strategy", "slow_half_life_h"),
            f"{strategy.fast_half_life_h:g} is not below strategy.slow_half_life_h ({strategy.slow_half_life_h:g})",
            "the recent mean must forget sooner than the older one",
        )
    if execution.repair_guard_bps < execution.guard_bps:
        yield Contradiction(
            ("execution", "repair_guard_bps"),
            ("execution", "guard_bps"),
            f"{execution.repair_guard_bps} is below execution.guard_bps ({execution.guard_bps})",
            "a repair must reach at least as far as the order that it completes",
        )
    if execution.settle_window_s > execution.order_timeout_s:
        yield Contradiction(
            ("execution", "settle_window_s"),
            ("execution", "order_timeout_s"),
            f"{execution.settle_window_s:g} is longer than execution.order_timeout_s ({execution.order_timeout_s:g})",
            "an order would be unknown before the venue's word on it is believed",
        )


def _drift(core: CoreConfig) -> Iterator[Contradiction]:
    drift = core.strategy.drift
    if drift.top_up_at > drift.top_up_to:
        yield Contradiction(
            ("strategy", "drift", "top_up_at"),
            ("strategy", "drift", "top_up_to"),
            f"{drift.top_up_at} is above strategy.drift.top_up_to ({drift.top_up_to})",
            "a hedge below top_up_at grows to top_up_to: lower top_up_at or raise top_up_to",
        )
    if drift.trim_to > drift.trim_at:
        yield Contradiction(
            ("strategy", "drift", "trim_to"),
            ("strategy", "drift", "trim_at"),
            f"{drift.trim_to} is above strategy.drift.trim_at ({drift.trim_at})",
            "a hedge beyond trim_at is trimmed to trim_to: lower trim_to or raise trim_at",
        )


def _coins(core: CoreConfig) -> Iterator[Contradiction]:
    universe = core.universe
    excluded = set(universe.exclude)
    other = ("universe", "exclude")
    places: list[tuple[KeyPath, str]] = [
        *((("universe", "coins"), coin) for coin in universe.coins),
        *((("universe", "core"), coin) for coin in universe.core),
        *((("limits", "per_coin_cap_overrides", coin), coin) for coin in core.limits.per_coin_cap_overrides),
    ]
    for path, coin in places:
        if coin in excluded:
            wrong = f"{coin} is also in universe.exclude"
            yield Contradiction(path, other, wrong, "remove it from one of them", defaults_yield=True)


def _ports(shell: Shell) -> Iterator[Contradiction]:
    taken: list[tuple[KeyPath, str, int]] = [
        (("health", "port"), shell.health.host, shell.health.port),
        (("api", "port"), shell.api.host, shell.api.port),
    ]
    for name, venue in shell.venues.items():
        if venue.simulator is not None and venue.embedded:
            taken.append((("venues", name, "simulator", "port"), "127.0.0.1", venue.simulator.port))
    for index, (path, host, port) in enumerate(taken):
        for other_path, other_host, other_port in taken[:index]:
            if port and port == other_port and (host == other_host or host in ANY_HOST or other_host in ANY_HOST):
                yield Contradiction(
                    path, other_path, f"{port} is also {'.'.join(map(str, other_path))}", "give each its own port"
                )


def _venues(shell: Shell) -> Iterator[Contradiction]:
    if not shell.venues:
        yield Contradiction(("venues",), (), "no venue is named", "add one, as in config/demo.yaml")
    accounts: dict[tuple[str, str], str] = {}
    embedded: str | None = None
    for name, venue in shell.venues.items():
        other = accounts.setdefault((venue.adapter, venue.account), name)
        if other != name and not venue.embedded:
            yield Contradiction(
                ("venues", name, "account"),
                ("venues", name),
                f"venues.{other}.account names the same account ({venue.adapter} {venue.account})",
                "two venues must not trade one account: name the other account, or remove one",
            )
        if venue.embedded:
            if embedded is not None:
                yield Contradiction(
                    ("venues", name, "simulator", "embedded"),
                    ("venues", name, "simulator"),
                    f"venues.{embedded}.simulator.embedded is true too",
                    "one simulated exchange can be embedded",
                )
            embedded = name


def _venue(name: str, venue: Venue) -> Iterator[Contradiction]:
    if venue.embedded and venue.transport is not None:
        yield Contradiction(
            ("venues", name, "transport"),
            ("venues", name, "simulator"),
            f"venues.{name}.simulator.embedded is true and already says where connections go",
            "remove transport, or set embedded to false",
        )
    if venue.embedded and venue.on_paper:
        yield Contradiction(
            ("venues", name, "paper"),
            ("venues", name, "simulator"),
            f"venues.{name}.simulator.embedded is true, and its account is play money already",
            "remove paper, or set simulator.embedded to false",
        )
    keyed = not venue.embedded and not venue.on_paper
    if keyed and (venue.api_key is None) != (venue.api_secret is None):
        have, lack = ("api_key", "api_secret") if venue.api_secret is None else ("api_secret", "api_key")
        yield Contradiction(
            ("venues", name, have),
            ("venues", name, lack),
            f"it is set and venues.{name}.{lack} is not",
            f"set {variable_of(('venues', name, lack))} or {variable_of(('venues', name, lack))}_FILE too",
        )
