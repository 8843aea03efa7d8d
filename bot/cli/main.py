"""The `carrybot` command: options and exit codes. Each command imports what it needs when it runs.

Exit codes: 0 done, 1 failed, 2 bad usage or config, 3 refused by risk, 4 venue unreachable.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import premium_command, replay_command, research_commands
from bot.cli.calc_commands import calc
from bot.cli.failure import DONE, FAILED, UNREACHABLE, USAGE, Failure
from bot.cli.funding_command import funding
from bot.cli.history_command import history
from bot.cli.scenarios_command import scenarios

Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="YAML file; config/demo.yaml unless given.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", help="Newest rows to print (a table: 40, JSON: all).", show_default=False),
]
Reason = Annotated[str, typer.Option("--reason", help="Kept with the command in the books.")]
Coin = Annotated[str, typer.Argument(help="A coin, such as SOL.")]

app = typer.Typer(
    name="carrybot",
    help="An always-on daemon that earns perpetual-swap funding without price risk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
db = typer.Typer(help="The database of the books.", no_args_is_help=True, rich_markup_mode=None)
config_app = typer.Typer(help="The configuration file.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(db, name="db")
app.add_typer(config_app, name="config")
app.add_typer(calc, name="calc")
app.add_typer(history, name="history")
app.command()(funding)
app.command()(scenarios)
alerts_app = typer.Typer(help="What the daemon warned of.", invoke_without_command=True, rich_markup_mode=None)
app.add_typer(alerts_app, name="alerts")
research_commands.register(app)
replay_command.register(app)
premium_command.register(app)


@app.command()
def run(
    config: Config = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", help="Stop after this much wall time: 90s, 15m, 2h.", show_default=False),
    ] = None,
) -> None:
    """Run the daemon in the foreground; without -c on the embedded simulated exchange."""
    from bot.cli.durations import seconds

    run_for_s = None if duration is None else seconds(duration)
    from bot.cli.run import run as start

    raise typer.Exit(start(config, run_for_s))


@app.command()
def check(config: Config = None, as_json: Json = False) -> None:
    """Check config, database, connectivity, clock, key rights, account modes, second instance."""
    from bot.cli.check import check as look

    raise typer.Exit(look(config, as_json))


@app.command()
def status(config: Config = None, as_json: Json = False) -> None:
    """State, NAV, leverage, hedges, funding received, venues."""
    from bot.cli import questions

    questions.status(config, as_json)


@app.command()
def explain(coin: Coin, config: Config = None, as_json: Json = False) -> None:
    """Why a coin is held or not: its carry, every rule's verdict, what would have to change."""
    from bot.cli import explain as command

    command.explain(config, coin.strip().upper(), as_json)


@app.command()
def scan(
    config: Config = None,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C.")] = False,
) -> None:
    """The universe ranked by net carry, with costs, basis, liquidity and why not."""
    from bot.cli import explain as command

    command.scan(config, as_json, watch)


@app.command()
def hedges(
    config: Config = None,
    every: Annotated[bool, typer.Option("--all", help="With closed ones.")] = False,
    as_json: Json = False,
) -> None:
    """Hedges with their legs, carry, funding and costs."""
    from bot.cli import questions

    questions.hedges(config, every, as_json)


@app.command()
def orders(config: Config = None, limit: Limit = None, as_json: Json = False) -> None:
    """Orders and what became of them."""
    from bot.cli import questions

    questions.orders(config, limit, as_json)


@app.command()
def receipts(
    config: Config = None,
    coin: Annotated[
        str | None,
        typer.Option("--coin", help="Of one coin.", show_default=False),
    ] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Funding payments and charges as the venue booked them."""
    from bot.cli import questions

    questions.receipts(config, coin.upper() if coin else None, limit, as_json)


@app.command()
def ledger(
    config: Config = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare with the venue, to the last digit.")] = False,
    as_json: Json = False,
) -> None:
    """Balances of the double-entry ledger; with --verify compared with the venue."""
    if verify:
        from bot.cli.verify import verify_ledger

        raise typer.Exit(verify_ledger(config, as_json))
    from bot.cli import questions

    questions.ledger(config, as_json)


@app.command()
def pnl(
    config: Config = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line a hedge, for a spreadsheet.")] = False,
    as_json: Json = False,
) -> None:
    """Profit and loss by hedge: funding, basis, fees, slippage, borrow."""
    from bot.cli import questions

    questions.pnl(config, as_csv, as_json)


@alerts_app.callback()
def alerts(context: typer.Context, config: Config = None, limit: Limit = None, as_json: Json = False) -> None:
    """What the daemon warned of; `alerts test` sends a message to each channel."""
    if context.invoked_subcommand is not None:
        return
    from bot.cli import questions

    questions.alerts(config, limit, as_json)


@alerts_app.command("test")
def alerts_test(config: Config = None, as_json: Json = False) -> None:
    """Send one message to each channel of the settings and say which took it."""
    from bot.cli import alert_test

    raise typer.Exit(alert_test.run(config, as_json))


@app.command()
def verdicts(
    config: Config = None,
    coin: Annotated[str | None, typer.Option("--coin", help="Of one coin.", show_default=False)] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Of one rule, such as R2.", show_default=False)] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="From this day of market time on: 2026-11-26.", show_default=False),
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="How often, by rule and coin.")] = False,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """What the risk manager refused or forced: rule, limit, observed value, hedge."""
    from bot.cli import verdict_command

    verdict_command.verdicts(config, verdict_command.Asked(coin, rule, since), limit, count=count, as_json=as_json)


@app.command()
def halt(config: Config = None, reason: Reason = "", as_json: Json = False) -> None:
    """Open nothing more; what reduces is still allowed. Survives restarts."""
    _control(config, "halt", {"reason": reason}, as_json)


@app.command()
def resume(config: Config = None, reason: Reason = "", as_json: Json = False) -> None:
    """End a halt."""
    _control(config, "resume", {"reason": reason}, as_json)


@app.command()
def flatten(config: Config = None, reason: Reason = "", as_json: Json = False) -> None:
    """Close all hedges in order, then stay halted."""
    _control(config, "flatten", {"reason": reason}, as_json)


@app.command()
def close(coin: Coin, config: Config = None, reason: Reason = "", as_json: Json = False) -> None:
    """Close a coin's hedge and keep the coin out."""
    _control(config, "close", {"coin": coin, "reason": reason}, as_json)


@app.command()
def readmit(coin: Coin, config: Config = None, reason: Reason = "", as_json: Json = False) -> None:
    """Let a removed coin be entered again."""
    _control(config, "readmit", {"coin": coin, "reason": reason}, as_json)


@app.command(context_settings={"ignore_unknown_options": True})  # amounts may be negative
def accept(
    asset: Annotated[str, typer.Argument(help="What differs, such as USDT.")],
    amount: Annotated[str, typer.Argument(help="Venue less ledger, exactly as `ledger --verify` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Where it came from; kept.")],
    wallet: Annotated[str, typer.Option("--wallet", help="Where, if not in one alone.", show_default=False)] = "",
    venue: Annotated[str, typer.Option("--venue", help="Where, if not at one alone.", show_default=False)] = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Book a difference that no record explains as your own capital: an airdrop, a rebate."""
    given = {"asset": asset, "amount": amount, "reason": reason, "wallet": wallet, "venue": venue}
    _control(config, "accept", given, as_json)


@app.command()
def reload(config: Config = None, as_json: Json = False) -> None:
    """Have the daemon read its settings file again now."""
    _control(config, "reload", {}, as_json)


@app.command()
def simulate(
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="127.0.0.1 port; 0 picks one.")] = 0,
    speed: Annotated[
        float | None,
        typer.Option("--speed", help="Market time per wall time (a fresh state: 1).", show_default=False),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", help="Where to write the CA certificate.", show_default=False),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option("--history", help="Folder with other recorded history.", show_default=False),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Folder of the durable state (data/simulator).", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", show_default=False)] = None,
    tick_ms: Annotated[
        int | None,
        typer.Option("--tick-ms", min=1, help="Wall milliseconds a step.", show_default=False),
    ] = None,
) -> None:
    """Serve the simulated exchange alone, for any client to connect to."""
    from bot.cli.commands import simulate as serve

    raise typer.Exit(serve(port, speed, ca_file, history, state, seed, tick_ms))


@db.command("upgrade")
def db_upgrade(config: Config = None) -> None:
    """Make the books, or bring them to the newest version."""
    from bot.cli import commands

    commands.db_upgrade(config)


@db.command("backup")
def db_backup(
    target: Annotated[Path, typer.Argument(help="A new file.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Copy the books, also while the daemon runs, and prove the copy."""
    from bot.cli import commands

    commands.db_backup(config, target, as_json)


@db.command("restore")
def db_restore(
    source: Annotated[Path, typer.Argument(help="A file that `db backup` made.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make the books out of a backup, where there are none."""
    from bot.cli import commands

    commands.db_restore(config, source, as_json)


@db.command("check")
def db_check(
    config: Config = None,
    file: Annotated[Path | None, typer.Option("--file", help="A backup instead.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Verify pages, keys, version, double entry and hash chain, of the books or of a backup."""
    from bot.cli import commands

    raise typer.Exit(commands.db_check(config, file, as_json))


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON schema of the YAML file, for editors."""
    from bot.cli import commands

    commands.config_schema()


def _control(config: Path | None, name: str, fields: dict[str, str], as_json: bool) -> None:
    from bot.cli import commands

    commands.control(config, name, {key: value for key, value in fields.items() if value}, as_json)


def main() -> None:
    """Run a command; every error is a line or a few on standard error and an exit code, never a traceback."""
    try:
        app()
    except Failure as failure:
        _end(failure)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        _end(_translated(error))


def _end(failure: Failure) -> None:
    from bot.cli.output import complain

    complain(failure)
    sys.exit(failure.code)


def _translated(error: BaseException) -> Failure:
    """The exit code of an error, told by its kind's name so that nothing heavy is imported to end a command."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Failure):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "SettingsError" in kinds:
        return Failure(USAGE, str(error))
    if "VenueError" in kinds:
        return Failure(UNREACHABLE, str(error), "is the venue reachable? `carrybot check` tells")
    if "StoreError" in kinds:
        return Failure(FAILED, str(error))
    from bot.observe.redact import Redactor

    text = Redactor(_secrets()).text(f"{type(error).__name__}: {error}")
    return Failure(
        FAILED, f"unexpected: {text}"[:500], "this is a defect: the daemon's log has more; please report it"
    )


def _secrets() -> list[str]:
    """Values of the environment that may be secrets: none of them is printed."""
    import os

    words = ("KEY", "SECRET", "TOKEN", "PASS")
    return [value for name, value in os.environ.items() if len(value) > 5 and any(word in name for word in words)]


__all__ = ["DONE", "app", "main"]
