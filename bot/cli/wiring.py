"""Settings to objects: which venue, which transport, which store."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.cli import embedded
from bot.cli.failure import FAILED, Failure
from bot.domain.actions import Severity

if TYPE_CHECKING:
    from bot.cli.embedded import Exchange
    from bot.settings import Settings
    from bot.settings import Venue as VenueSettings
    from bot.venues.binance import BinanceVenue
    from bot.venues.transport import Transport

TAPE_FOLDER = "tape"
"""Under the data folder."""
Log = Callable[[Severity, str, Mapping[str, str | int | float | Decimal | bool | None]], None]


def silent(severity: Severity, name: str, fields: Mapping[str, str | int | float | Decimal | bool | None]) -> None:
    """A log for commands that answer a question: what matters is raised."""
    del severity, name, fields


def build_venue(
    settings: "Settings", name: str, exchange: "Exchange | None", log: Log, *, keyless: bool = False
) -> "BinanceVenue":
    """The adapter of one configured venue. `exchange` is the embedded simulator that serves it, if one does."""
    from bot.venues.binance import BinanceVenue

    found = settings.venues[name]
    universe = settings.core.universe
    key = "" if keyless or found.api_key is None else found.api_key.get_secret_value()
    secret = "" if keyless or found.api_secret is None else found.api_secret.get_secret_value()
    return BinanceVenue(
        name,
        found.account,
        key,
        secret,
        transport=_transport(found, exchange),
        coins=universe.coins,
        exclude=universe.exclude,
        log=log,
    )


def _transport(found: "VenueSettings", exchange: "Exchange | None") -> "Transport | None":
    from bot.venues.transport import Transport

    if exchange is not None:
        return Transport("127.0.0.1", exchange.endpoint.port, exchange.endpoint.ca_file)
    if found.transport is not None:
        return Transport(found.transport.host, found.transport.port, found.transport.ca_file)
    return None


@asynccontextmanager
async def asked_venue(settings: "Settings", name: str) -> AsyncIterator["BinanceVenue"]:
    """A connected venue to ask questions of; an embedded exchange that does not run is started standing still.

    Raises VenueError.
    """
    found = settings.venues[name]
    if found.embedded:
        assert found.simulator is not None
        async with (
            embedded.standing(settings, found.simulator) as exchange,
            _connected(build_venue(settings, name, exchange, silent)) as venue,
        ):
            yield venue
    else:
        async with _connected(build_venue(settings, name, None, silent)) as venue:
            yield venue


@asynccontextmanager
async def _connected(venue: "BinanceVenue") -> AsyncIterator["BinanceVenue"]:
    await venue.connect()
    try:
        yield venue
    finally:
        await venue.close()


def only_venue(settings: "Settings") -> str:
    """The one venue of this release; more than one is refused."""
    if len(settings.venues) != 1:
        names = ", ".join(settings.venues) or "none"
        raise Failure(FAILED, f"this release runs one venue, the config names: {names}", "keep one under `venues:`")
    return next(iter(settings.venues))
