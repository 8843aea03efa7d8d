"""`carrybot alerts test`: one message to each channel, by this process, so that no daemon is needed."""

from pathlib import Path

from bot.cli import context
from bot.cli.failure import DONE, FAILED, Failure
from bot.cli.output import Column, show_json, show_table
from bot.domain.actions import Severity

COLUMNS = (
    Column("channel", "channel"),
    Column("min_severity", "least severity"),
    Column("result", "result"),
)


def run(config: Path | None, as_json: bool) -> int:
    """0 when every channel took it, 1 otherwise. The reasons of failures stand on standard error."""
    from bot.observe.courier import name_of, send
    from bot.observe.gate import Message
    from bot.observe.logging import configure
    from bot.settings import secrets

    settings = context.load(config)
    channels = settings.alerts.channels
    if not channels:
        raise Failure(
            FAILED, f"{settings.source} names no channel", "add one under alerts.channels: see docs/configuration.md"
        )
    configure("console", "warning", secrets(settings))
    message = Message(Severity.INFO, "carrybot: a test", "If you can read this, alerts reach you here.")
    rows = []
    for number, channel in enumerate(channels, 1):
        took = send(channel, message)
        rows.append(
            {
                "channel": name_of(number, channel),
                "min_severity": channel.min_severity.value,
                "result": "sent" if took else "failed",
            }
        )
    if as_json:
        show_json(rows)
    else:
        show_table("Alert channels", COLUMNS, rows, "no channels")
    return DONE if all(row["result"] == "sent" for row in rows) else FAILED
