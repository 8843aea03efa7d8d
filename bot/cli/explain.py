"""`explain COIN` and `scan`: asked of the running daemon, because they need live data."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import context, output
from bot.cli.failure import FAILED, Failure
from bot.cli.output import Column, say, show_facts, show_json, show_table, shown

if TYPE_CHECKING:
    from bot.settings import Settings

WATCH_S = 2.0
SCAN_TITLE = "Net carry over the holding time, best first"
STYLES = {"held": "green", "enter": "bold", "excluded": "dim"}
LABELS = {
    "apr": "the recent rates, a year",
    "fast_per_h": "recent mean rate, an hour",
    "slow_per_h": "older mean rate, an hour",
    "funding": "expected funding",
    "basis": "basis that converges",
    "borrow": "interest on borrowed coins",
    "held": "= worth of holding",
    "open_cost": "cost of opening",
    "new": "= worth of entering",
    "close_cost": "cost of closing",
    "instead": "= worth of entering instead of something held",
}
"""What the estimator's figures are called; others are shown by their own names. In the order of the waterfall."""
COSTS = ("open_cost", "close_cost", "borrow")

VERDICTS = (
    Column("rule", "rule"),
    Column("name", "name"),
    Column("approved", "verdict"),
    Column("observed", "observed"),
    Column("limit", "limit"),
    Column("detail", "of what"),
)
LAST_VERDICTS = (Column("at", "market time", "time"), *VERDICTS)
SCAN = (
    Column("coin", "coin"),
    Column("net", "net", "percent"),
    Column("apr", "rate a year", "percent"),
    Column("funding", "funding", "percent"),
    Column("basis", "basis", "percent"),
    Column("cost", "cost", "percent"),
    Column("depth", "depth USD"),
    Column("volume", "volume USD"),
    Column("held", "held USD"),
    Column("verdict", "verdict"),
    Column("reason", "why"),
)


def explain(config: Path | None, coin: str, as_json: bool) -> None:
    """Failure without a daemon, after the last verdicts that the books know of."""

    async def offline(settings: "Settings") -> Any:
        from bot.observe.reports import Books

        return {"offline": await Books(settings.database.url, tuple(settings.venues)).verdicts(coin)}

    view = context.question(config, "explain", offline, coin=coin)
    if "offline" in view:
        _show_last(coin, view["offline"], as_json)
        raise _down("explain")
    if as_json:
        show_json(view)
    else:
        for each in view["explanations"]:
            _show(each)


def scan(config: Path | None, as_json: bool, watch: bool) -> None:
    """Once, or again and again until Ctrl-C or until the daemon ends; as JSON a list a line then."""

    async def offline(_: "Settings") -> Any:
        raise _down("scan")

    def ask() -> Any:
        return context.question(config, "scan", offline)

    if watch:
        _watch(ask, as_json)
    elif as_json:
        show_json(ask())
    else:
        show_table(SCAN_TITLE, SCAN, [_row(each) for each in ask()], "no coins")


def _watch(ask: Callable[[], Any], as_json: bool) -> None:
    """On a terminal one table that is refreshed in place; elsewhere, one after the other."""
    console = output.console()
    if as_json or not console.is_terminal:
        while True:
            rows = ask()
            if as_json:
                say(json.dumps(rows))
            else:
                show_table(f"{_clock()}  {SCAN_TITLE}", SCAN, [_row(each) for each in rows], "no coins")
            time.sleep(WATCH_S)
    from rich.live import Live

    with Live(_scan_table(ask()), console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            time.sleep(WATCH_S)
            live.update(_scan_table(ask()), refresh=True)


def _scan_table(rows: list[dict[str, Any]]) -> Any:
    title = f"{_clock()}  {SCAN_TITLE}; Ctrl-C ends"
    return output.table_of(title, SCAN, [_row(each) for each in rows], lambda row: STYLES.get(row["verdict"], ""))


def _clock() -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime())


def _down(command: str) -> Failure:
    what = f"no daemon is running, and `{command}` needs its live prices and rates"
    return Failure(FAILED, what, "start it with `carrybot run`, or name its config with -c")


def _row(view: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {"depth": "depth_usd", "volume": "volume_usd", "held": "held_usd"}
    short = {name: "-" if view[key] is None else f"{view[key]:,.0f}" for name, key in amounts.items()}
    return {**view, **short}


def _words(verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "approved": "yes" if each["approved"] else "NO"} for each in verdicts]


def _show_last(coin: str, verdicts: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show_json({"coin": coin, "last_verdicts": verdicts})
    else:
        empty = f"the books hold no refusal or forced action of {coin}"
        show_table(f"{coin}: the last refusals and forced actions", LAST_VERDICTS, _words(verdicts), empty)


def _show(view: Mapping[str, Any]) -> None:
    held = view["held"]
    facts = [
        (view["coin"], f"{view['strategy']} at {view['venue']}, market time {shown(view['market_time'], 'time')}"),
        ("held", "nothing" if held is None else f"{shown(held['notional_usd'], 'usd')} USD, hedge {held['hedge']}"),
    ]
    if held is not None:
        facts += [("state", held["state"]), ("because", held["reason"] or "-")]
        facts.append(("funding received", f"{shown(held['funding_usd'], 'usd')} USD"))
    facts.append(("cap (R2)", f"{shown(view['cap_usd'], 'usd')} USD"))
    proposal = view["proposal"]
    facts.append(("proposal now", "no change" if proposal is None else _proposed(proposal)))
    show_facts(facts)
    say("")
    if view["waterfall"]:
        say("From gross funding to net carry, of one-side notional:")
        show_facts([*_waterfall(view["waterfall"]), ("  hurdle that entering must exceed", f"{view['hurdle']:.4%}")])
    else:
        say(f"There is no estimate: {view['estimate_missing']}")
    say("")
    show_table(
        "Each rule's verdict on adding a slice now", VERDICTS, _words(view["verdicts"]), "no rule has an opinion yet"
    )
    for one in view["forced"]:
        say(f"Rule {one['rule']} demands a change now: {one['reason']}")
    _list("To enter or to grow, this would have to change:", view["to_enter"], "nothing stands in the way")
    if held is not None:
        _list("It is left or cut when:", view["to_leave"], "-")


def _proposed(proposal: Mapping[str, Any]) -> str:
    return f"{proposal['target_base']} base units a side: {proposal['reason']}"


def _waterfall(figures: Mapping[str, float | None]) -> list[tuple[str, str]]:
    order = [*(name for name in LABELS if name in figures), *(name for name in figures if name not in LABELS)]
    rows = []
    for name in order:
        value = figures[name]
        if value is None:
            continue
        signed = -value if name in COSTS else value
        digits = 6 if name.endswith("_per_h") else 4
        rows.append((f"  {LABELS.get(name, name.replace('_', ' '))}", f"{signed:+.{digits}%}"))
    return rows


def _list(title: str, lines: list[str], empty: str) -> None:
    say(title)
    for line in lines or [empty]:
        say(f"  - {line}")
