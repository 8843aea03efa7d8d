"""`carrybot check`: everything that `run` needs, looked at before it is needed; each fault with its remedy."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.cli import context, wiring
from bot.cli.failure import DONE, FAILED, UNREACHABLE, Failure
from bot.cli.output import Column, show_json, show_table
from bot.domain.structures import REVERSE_CARRY
from bot.observe.reports import Books
from bot.ports import StoreError, VenueError, VenueSetupError
from bot.runtime.lock import LOCK_FILE, locked_by
from bot.settings import Settings, SettingsError, require_credentials
from bot.store.migrate import current, head
from bot.venues.binance import BinanceVenue

SKEW_MS_MAX = 500
OK, WARN, FAIL = "ok", "warning", "failed"

COLUMNS = (
    Column("check", "check"),
    Column("result", "result"),
    Column("found", "found"),
    Column("remedy", "remedy"),
)


@dataclass(slots=True)
class _Report:
    rows: list[dict[str, str]] = field(default_factory=list)
    unreachable: bool = False

    def add(self, check: str, result: str, found: str, remedy: str = "") -> None:
        self.rows.append({"check": check, "result": result, "found": found, "remedy": remedy})

    @property
    def code(self) -> int:
        if any(row["result"] == FAIL for row in self.rows):
            return UNREACHABLE if self.unreachable else FAILED
        return DONE


def check(config: Path | None, as_json: bool) -> int:
    """0 all well (warnings allowed), 1 something fails, 4 the venue cannot be reached. SettingsError: 2."""
    settings = context.load(config)
    report = _Report()
    report.add("config", OK, str(settings.source))
    _second_instance(settings, report)
    asyncio.run(_ask(settings, report))
    if as_json:
        show_json({"ok": report.code == DONE, "checks": report.rows})
    else:
        show_table("carrybot check", COLUMNS, report.rows, "nothing was checked")
    return report.code


def _second_instance(settings: Settings, report: _Report) -> None:
    pid = locked_by(settings.data_dir / LOCK_FILE)
    if pid is None:
        report.add("second instance", OK, f"no daemon runs on {settings.data_dir}")
    else:
        report.add("second instance", WARN, f"a daemon runs (process {pid})", "`run` would refuse; stop it first")


async def _ask(settings: Settings, report: _Report) -> None:
    await _database(settings, report)
    try:
        require_credentials(settings)
    except SettingsError as error:
        for problem in error.problems:
            report.add("credentials", FAIL, problem.wrong, problem.remedy)
        return
    for name in settings.venues:
        began = time.monotonic()
        try:
            async with wiring.asked_venue(settings, name) as venue:
                took_ms = (time.monotonic() - began) * 1000
                report.add(f"{name}: connectivity", OK, f"connected and listed in {took_ms:.0f} ms")
                await _venue(venue, settings, report)
        except VenueSetupError as error:
            found, _, remedy = str(error).partition("; ")
            report.add(f"{name}: account", FAIL, found, remedy)
        except VenueError as error:
            report.unreachable = True
            remedy = "check the network, the keys and the venue's status page"
            report.add(f"{name}: connectivity", FAIL, str(error), remedy)
        except Failure as failure:
            report.add(f"{name}: simulator", FAIL, failure.what, failure.remedy)


async def _database(settings: Settings, report: _Report) -> None:
    url = settings.database.url
    try:
        found, wanted = await asyncio.to_thread(current, url), await asyncio.to_thread(head)
        if found is None:
            report.add("database", OK, "there are no books yet", "`run` or `db upgrade` makes them")
        elif found != wanted:
            report.add("database", WARN, f"version {found}, this program has {wanted}", "`carrybot db upgrade`")
        else:
            view = await Books(url, tuple(settings.venues)).ledger()
            report.add("database", OK, f"version {found}, {view['transactions']} transactions")
    except StoreError as error:
        report.add("database", FAIL, str(error), "see docs/operating.md, Database")


async def _venue(venue: "wiring.AnyVenue", settings: Settings, report: _Report) -> None:
    skew_ms = venue.clock_offset_ms
    fine = abs(skew_ms) <= SKEW_MS_MAX
    remedy = "" if fine else "let NTP set this machine's clock; the daemon corrects for it meanwhile"
    report.add(f"{venue.name}: clock skew", OK if fine else WARN, f"{skew_ms} ms", remedy)
    if isinstance(venue, BinanceVenue):
        borrows = REVERSE_CARRY.name in settings.core.strategies
        await _part(report, f"{venue.name}: key rights", lambda: _rights(venue, report, borrows=borrows))
        await _part(report, f"{venue.name}: account modes", lambda: _modes(venue, report))
    await _part(report, f"{venue.name}: instruments", lambda: _instruments(venue, report))
    await _part(report, f"{venue.name}: balances", lambda: _balances(venue, report))
    if settings.venues[venue.name].embedded:
        report.add(f"{venue.name}: money", OK, "a simulated exchange: no real money")
    if settings.venues[venue.name].on_paper:
        report.add(f"{venue.name}: money", OK, "on paper: live prices, simulated fills, no real money, no key used")


async def _part(report: _Report, name: str, work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except VenueError as error:
        report.unreachable = True
        report.add(name, FAIL, str(error), "the venue did not answer this question; try again")


async def _rights(venue: BinanceVenue, report: _Report, *, borrows: bool) -> None:
    rights = await venue.key_rights()
    name = f"{venue.name}: key rights"
    if rights.can_withdraw:
        report.add(name, FAIL, "the key can withdraw", "make a key without withdrawal rights; this one is refused")
        return
    missing = rights.missing(borrows=borrows)
    if missing:
        report.add(name, FAIL, f"the key lacks: {', '.join(missing)}", "allow them in the venue's API settings")
        return
    if (ends := rights.ends_soon(time.time_ns() // 1_000_000)) is not None:
        report.add(name, WARN, ends, "renew it in the venue's API settings")
        return
    if not rights.ip_restricted:
        report.add(
            name, WARN, "may trade, cannot withdraw, any address", "restrict the key to this machine's address"
        )
        return
    report.add(name, OK, "may trade, cannot withdraw, restricted to addresses")


async def _modes(venue: BinanceVenue, report: _Report) -> None:
    problem = (await venue.account_modes()).problem
    name = f"{venue.name}: position mode"
    if problem is None:
        report.add(name, OK, "one-way positions, single-asset margin")
    else:
        found, _, remedy = problem.partition("; ")
        report.add(name, FAIL, found, remedy)


async def _instruments(venue: "wiring.AnyVenue", report: _Report) -> None:
    listed = await venue.fetch_listing()
    intervals: dict[int, int] = {}
    for instrument in listed.instruments:
        if instrument.funding_interval_s:
            hours = instrument.funding_interval_s // 3600
            intervals[hours] = intervals.get(hours, 0) + 1
    shown = ", ".join(f"{count} x {hours} h" for hours, count in sorted(intervals.items()))
    report.add(f"{venue.name}: funding intervals", OK if intervals else FAIL, shown or "no perpetuals listed")
    takers = sorted({fee.taker for fee in listed.fees.values()})
    if takers:
        report.add(f"{venue.name}: fee tier", OK, "taker " + ", ".join(f"{100 * fee:.4f} %" for fee in takers))


async def _balances(venue: "wiring.AnyVenue", report: _Report) -> None:
    account: Any = await venue.fetch_account()
    held = [f"{wallet} {amount:.2f} USDT" for wallet, assets in account.balances.items() for amount in _usdt(assets)]
    report.add(f"{venue.name}: balances", OK, ", ".join(held) or "no USDT")


def _usdt(assets: Any) -> list[Any]:
    return [assets["USDT"]] if "USDT" in assets else []
