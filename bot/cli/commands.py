"""`halt`, `resume`, `flatten`, `close`, `readmit`, `accept`, `simulate`, `db`, `config schema`."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import context
from bot.cli.failure import DONE, FAILED, USAGE, Failure
from bot.cli.output import say, show_json

if TYPE_CHECKING:
    from bot.store.backup import Proof


def control(config: Path | None, name: str, fields: dict[str, str], as_json: bool) -> None:
    """Send a command to the daemon and say what follows from it."""
    reply = context.order(config, name, **fields)
    if as_json:
        show_json(reply)
    else:
        say(_sentence(name, reply))


def _sentence(name: str, reply: Any) -> str:
    if name == "reload":
        return _reloaded(reply)
    if name == "accept":
        return f"{reply['accepted']} {reply['asset']} in {reply['wallet']} is booked as your capital"
    hedges, coin = reply["hedges"], reply["coin"]
    match name:
        case "halt":
            return f"halted: nothing opens until `carrybot resume`; {hedges} hedges are kept"
        case "resume":
            return f"resumed: the daemon is {reply['state']}"
        case "flatten":
            return f"flattening: {reply['hedges_closing']} hedges are being closed; then the daemon stays halted"
        case "close" if hedges:
            return f"closing {coin}; it stays out until `carrybot readmit {coin}`"
        case "close":
            return f"no hedge in {coin} is open; it stays out until `carrybot readmit {coin}`"
        case _:
            return f"{coin} may be entered again"


def _reloaded(reply: Any) -> str:
    lines = [f"changed: {each}" for each in reply["applied"]] or ["nothing changes"]
    return "\n".join([*lines, *(f"needs a restart: {each}" for each in reply["restart"])])


def simulate(
    port: int,
    speed: float | None,
    ca_file: Path | None,
    history: Path | None,
    state: Path | None,
    seed: int | None,
    tick_ms: int | None,
) -> int:
    """Serve the simulated exchange in the foreground."""
    from bot.simulator.__main__ import default_state_dir
    from bot.simulator.process import SimulatorError, serve
    from bot.simulator.wire.options import SEED_DEFAULT, TICK_MS_DEFAULT, SimulatorOptions
    from bot.simulator.wire.persistence import StateError

    if history is not None and not history.is_dir():
        raise Failure(USAGE, f"{history}: there is no such folder", "give --history a folder of recorded data")
    if speed is not None and not 0 <= speed <= 1_000_000:
        raise Failure(USAGE, f"--speed must be within 0 and 1,000,000, not {speed:g}")
    options = SimulatorOptions(
        state_dir=state or default_state_dir(),
        port=port,
        speed=speed,
        ca_file=ca_file,
        history_dir=history,
        tick_ms=tick_ms or TICK_MS_DEFAULT,
        seed=SEED_DEFAULT if seed is None else seed,
    )
    folder = options.state_dir.absolute()
    sys.stderr.write(f"simulated exchange: state in {folder}, log in {folder / 'simulator.log'}; Ctrl-C ends it\n")
    try:
        asyncio.run(_announced(serve(options), options.state_dir))
    except (SimulatorError, StateError) as error:
        raise Failure(FAILED, str(error)) from None
    return DONE


async def _announced(serving: Any, state_dir: Path) -> None:
    """Serve, and say where once it answers."""
    from bot.simulator.process import read_endpoint

    async def announce() -> None:
        before = read_endpoint(state_dir)
        found = before
        for _ in range(600):
            await asyncio.sleep(0.1)
            found = read_endpoint(state_dir)
            if found is not None and found != before:
                break
        if found is None:
            return
        sys.stderr.write(f"serving https://127.0.0.1:{found.port}, certificate authority {found.ca_file}\n")

    async with asyncio.TaskGroup() as tasks:
        announcing = tasks.create_task(announce())
        await serving
        announcing.cancel()


def db_upgrade(config: Path | None) -> None:
    from bot.store.migrate import current, upgrade

    url = context.load(config).database.url
    before = current(url)
    after = upgrade(url)
    if before == after:
        say(f"the books are at version {after}: nothing to do")
    else:
        say(f"the books are at version {after}" + (f" (before: {before})" if before else ", newly made"))


def db_backup(config: Path | None, target: Path, as_json: bool) -> None:
    from bot.store.backup import backup

    _show_proof(target, backup(context.load(config).database.url, target), as_json)


def db_restore(config: Path | None, source: Path, as_json: bool) -> None:
    """The books out of a backup, where there are none."""
    from bot.runtime.lock import LOCK_FILE, locked_by
    from bot.store.backup import restore

    settings = context.load(config)
    pid = locked_by(settings.data_dir / LOCK_FILE)
    if pid is not None:
        # Books that are moved away under a daemon are still its own: what it trades would be in neither.
        raise Failure(FAILED, f"a daemon runs on {settings.data_dir} (process {pid or 'unknown'})", "stop it first")
    _show_proof(source, restore(source, settings.database.url), as_json)
    if not as_json:
        say("restored: `carrybot run` fetches what the venue did since, then compares; `ledger --verify` shows it")


def _show_proof(path: Path, proof: "Proof", as_json: bool) -> None:
    if as_json:
        show_json({"file": str(path), **asdict(proof)})
        return
    total = sum(proof.rows.values())
    say(
        f"{path}: {proof.size_bytes:,} bytes, integrity checked, {total:,} rows, "
        f"chain of {proof.transactions:,} transactions verified"
    )


def db_check(config: Path | None, file: Path | None, as_json: bool) -> int:
    """Pages, keys, version, double entry and hash chain of the books, or of a backup; 0 sound, 1 not."""
    from bot.observe.reports import Books
    from bot.store.backup import prove, rows_of
    from bot.store.errors import file_of
    from bot.store.migrate import current, head

    if file is not None:
        _show_proof(file, prove(file), as_json)
        return DONE
    settings = context.load(config)
    found, wanted = current(settings.database.url), head()
    if found is None:
        raise Failure(FAILED, "there are no books yet", "`carrybot db upgrade` or `carrybot run` makes them")
    if found != wanted:
        raise Failure(FAILED, f"the books have version {found}, this program {wanted}", "`carrybot db upgrade`")
    path = file_of(settings.database.url)
    if path is not None:
        rows_of(path)
    books = Books(settings.database.url, tuple(settings.venues))
    state = asyncio.run(books.ledger_state(next(iter(settings.venues))))
    view = {"sound": state.problem is None, "version": found, "transactions": state.transactions}
    if as_json:
        show_json({**view, "problem": state.problem})
    else:
        say(f"version {found}, {state.transactions} transactions: {state.problem or 'chain and double entry hold'}")
    return DONE if state.problem is None else FAILED


def config_schema() -> None:
    from bot.settings import schema

    say(json.dumps(schema(), indent=2))
