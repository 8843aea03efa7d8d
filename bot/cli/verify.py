"""`carrybot ledger --verify`: the books against the venue, to the last digit, with the daemon up or down."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bot.cli import context, wiring
from bot.cli.failure import DONE, FAILED
from bot.cli.output import Column, say, show_json, show_table
from bot.domain.instruments import Instrument
from bot.observe.reports import Books
from bot.observe.verify import verify
from bot.settings import Settings, require_credentials

ASSETS = (
    Column("asset", "asset"),
    Column("ledger", "ledger"),
    Column("unbooked", "not booked yet"),
    Column("venue", "venue"),
    Column("difference", "difference"),
)


def verify_ledger(config: Path | None, as_json: bool) -> int:
    """0 balanced, 1 not. Raises StoreError, VenueError, SettingsError."""
    settings = context.load(config)
    require_credentials(settings)
    view = asyncio.run(_verify(settings))
    if as_json:
        show_json(view)
    else:
        show_table("Ledger and venue", ASSETS, view["assets"], "nothing is held")
        say(f"{view['transactions']} transactions, chain {view['chain']}")
        if view["unbooked_facts"]:
            say(f"{view['unbooked_facts']} facts of the venue are not booked yet: the next start books them")
        say("balanced" if view["balanced"] else "NOT balanced: stop trading and look at what differs")
    return DONE if view["balanced"] else FAILED


async def _verify(settings: Settings) -> Any:
    name = wiring.only_venue(settings)
    books = Books(settings.database.url, (name,))
    async with books.opened(), AsyncExitStack() as stack:
        traded = {hedge["coin"] for hedge in await books.hedges(every=True)}
        owes = await books.uses_margin(name)
        venue = await stack.enter_async_context(wiring.asked_venue(settings, name, traded, owes=owes))

        async def listing() -> dict[str, Instrument]:
            return {instrument.id: instrument for instrument in (await venue.fetch_listing()).instruments}

        return await verify(venue, listing, lambda: books.ledger_state(name))
