"""Settings to objects: which venue, which transport, which store."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from bot.cli import embedded
from bot.cli.failure import FAILED, Failure
from bot.domain.actions import Severity
from bot.domain.structures import REVERSE_CARRY

if TYPE_CHECKING:
    from bot.cli.embedded import Exchange
    from bot.settings import Paper, Settings
    from bot.settings import Venue as VenueSettings
    from bot.simulator.paper import PaperTerms, PaperVenue
    from bot.venues.binance import BinanceVenue
    from bot.venues.transport import Transport

    AnyVenue: TypeAlias = BinanceVenue | PaperVenue

TAPE_FOLDER = "tape"
"""Under the data folder."""

Log = Callable[[Severity, str, Mapping[str, str | int | float | Decimal | bool | None]], None]


def silent(severity: Severity, name: str, fields: Mapping[str, str | int | float | Decimal | bool | None]) -> None:
    """A log for commands that answer a question: what matters is raised."""
    del severity, name, fields


def build_venue(
    settings: "Settings",
    name: str,
    exchange: "Exchange | None",
    log: Log,
    coins: Iterable[str] = (),
    *,
    owes: bool,
    looks: bool = False,
) -> "AnyVenue":
    """One configured venue. `exchange` is the embedded simulator that serves it, if one does. A command that only
    `looks` leaves a paper account as its daemon has it.

    `coins` are listed whatever the universe says: what is held has to be quoted, counted and closed. `owes` says that
    its margin account is in the books: it stays one of its wallets, whatever the strategies are.
    """
    from bot.venues.binance import BinanceVenue

    found = settings.venues[name]
    universe = settings.core.universe
    held = frozenset(coins)
    keyless = found.on_paper
    borrows = owes or borrowing(settings)
    key = "" if keyless or found.api_key is None else found.api_key.get_secret_value()
    secret = "" if keyless or found.api_secret is None else found.api_secret.get_secret_value()
    adapter = BinanceVenue(
        name,
        found.account,
        key,
        secret,
        transport=_transport(found, exchange),
        coins=held.union(universe.coins) if universe.coins else (),
        exclude=frozenset(universe.exclude) - held,
        borrows=borrows and not keyless,
        log=log,
    )
    if found.paper is None or not found.on_paper:
        return adapter
    from bot.simulator.paper import PaperVenue

    state_file = settings.data_dir / "paper" / f"{name}.db"
    return PaperVenue(adapter, found.account, state_file, _terms(found.paper), log, borrows=borrows, looks=looks)


def borrowing(settings: "Settings") -> bool:
    """Whether one of the strategies sells coins on loan."""
    return REVERSE_CARRY.name in settings.core.strategies


def _terms(paper: "Paper") -> "PaperTerms":
    from bot.domain.instruments import FeeRates
    from bot.simulator.loan_model import LoanModel
    from bot.simulator.paper import PaperTerms

    return PaperTerms(
        cash=paper.cash,
        spot=FeeRates(paper.spot_fee, paper.spot_fee),
        perp=FeeRates(paper.perp_maker_fee, paper.perp_taker_fee),
        loans=LoanModel(rate_year=paper.borrow_rate),
    )


def _transport(found: "VenueSettings", exchange: "Exchange | None") -> "Transport | None":
    from bot.venues.transport import Transport

    if exchange is not None:
        return Transport("127.0.0.1", exchange.endpoint.port, exchange.endpoint.ca_file)
    if found.transport is not None:
        return Transport(found.transport.host, found.transport.port, found.transport.ca_file)
    return None


@asynccontextmanager
async def asked_venue(
    settings: "Settings", name: str, coins: Iterable[str] = (), *, owes: bool = False
) -> AsyncIterator["AnyVenue"]:
    """A connected venue to ask questions of; an embedded exchange that does not run is started standing still.

    Raises VenueError.
    """
    found = settings.venues[name]
    if found.embedded:
        assert found.simulator is not None
        async with (
            embedded.standing(settings, found.simulator) as exchange,
            _connected(build_venue(settings, name, exchange, silent, coins, owes=owes, looks=True)) as venue,
        ):
            yield venue
    else:
        async with _connected(build_venue(settings, name, None, silent, coins, owes=owes, looks=True)) as venue:
            yield venue


@asynccontextmanager
async def _connected(venue: "AnyVenue") -> AsyncIterator["AnyVenue"]:
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
