"""Faults whose hour has come: what each does to venue, streams, clock, listing and daemons."""

import dataclasses
import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.simulator.exchange.liquidation import close_at_mark
from bot.simulator.model import Book, VenueError
from bot.simulator.wire.futures_rest import CAP_OF_MAINTENANCE
from tests.campaign import cuts
from tests.campaign.answers import KEY
from tests.campaign.commands import Command
from tests.campaign.faults import HAIRCUTS, KINDS, LINES, LOANS, Fault
from tests.campaign.shaping import CAPPED_H
from tests.campaign.streams import FEEDS

if TYPE_CHECKING:
    from tests.campaign.world import World

OF_LINES = frozenset(name for name, kind in KINDS.items() if kind.where == LINES)
STRIKE = OF_LINES | {"feed_silent", "unanswered", "restarted", "loans_pressed"}
"""Faults that are none of the request that sets them off."""


STOPS_S = 5.0
"""How long an orderly end takes."""
OPEN_WITHIN_S = 10.0
"""How long the daemon tries to connect."""
OUTAGE_S, DIES_S = 13.0, 11.4
"""A feed is out for so long, which is an extreme event after ten seconds; and when the daemon dies of it."""
TEMPTED_S = 6.0
"""So long after a new daemon's start its owner gives it a reason to open."""
ANNOUNCED_S = 16.0
"""By then the daemon has asked for the listing again."""


def strike(world: "World", fault: Fault) -> None:
    """A fault whose hour has come."""
    now_s, size = world.loop.now_s, abs(fault.size)
    if fault.kind in ("crash", "deleveraged") and not world.life.running:
        return
    if KINDS[fault.kind].where in (LOANS, HAIRCUTS):
        world.wire.lender.strike(fault)
        return
    if KINDS[fault.kind].where == LINES:
        busy_s = cuts.strike(world, fault)
        world.fired(fault.kind)
        world.log[-1] += f"  ({fault})"
        world.trouble(min(fault.size, busy_s))
        world.patient(busy_s)
        return
    match fault.kind:
        case "venue_down":
            world.wire.down_until_s = now_s + size
            for feed in FEEDS:
                world.streams.lose(feed, size)
            world.patient(2 * size)
        case "no_route":
            world.wire.no_route_until_s = now_s + size
            world.streams.stall(FEEDS, size)
            world.patient(size + OPEN_WITHIN_S)
        case "banned":
            for api in ("spot", "perp", "sapi"):
                world.wire.banned_until_s[api] = now_s + size
        case "weight_pressure":
            world.wire.pressure_until_s = now_s + size
        case "feed_silent":
            world.streams.stall((fault.how,), size)
        case "feed_lost":
            world.streams.lose(fault.how, size)
            world.patient(2 * size)
        case "user_stream_lost":
            world.streams.lose(f"user-{fault.how}", size)
            world.patient(2 * size)
        case "events_repeated":
            world.streams.repeat_until_s = now_s + size
        case "events_late":
            world.streams.late_until_s = now_s + size
        case "events_shuffled":
            world.streams.shuffle_until_s = now_s + size
        case "events_missed":
            world.streams.miss_until_s = now_s + size
        case "receipts_late":
            world.wire.hide_receipts(fault.how, size)
            world.patient(size)
        case "unanswered":
            world.wire.unanswered.waiting.append(fault)
            return
        case "quotes_gap":
            world.streams.gap_until_s[fault.how] = now_s + size
        case "outage_over_crash":
            _dies_in_outage(world, fault)
            size += OUTAGE_S
        case "quarantine_over_crash":
            world.deadly_quarantine = fault
            return
        case "clock_jump":
            world.loop.wall_offset_s += fault.size
        case "market_closed":
            world.wire.closed_until_s[fault.how] = now_s + size
        case "balance_unexplained":
            if not _unexplained(world, fault):
                return
            if world.life.running and not world.owner.tasks:
                world.owner.gives(Command(0, "limits", "", 0.6))  # so that something would open when it may not
        case "filters_changed":
            _change_filters(world, fault)
        case "caps_changed":
            _change_caps(world, fault)
        case "end_announced" | "spot_end_announced" | "renamed":
            if not world.ends.announce(fault):
                return
            size = ANNOUNCED_S
        case "spot_closed":
            coin = world.market.coins[fault.how]
            world.market.relist(dataclasses.replace(coin.spot, trades=False))
            size = ANNOUNCED_S
        case "deleveraged":
            if not _deleverage(world, fault):
                return
        case "crash":
            world.kill(world.life, size)
        case "restarted":
            if not world.restart():
                return
            size += STOPS_S
        case "loans_pressed":
            world.wire.lender.pressed_until_s = now_s + size
        case "interest_over_crash":
            if not world.wire.lender.tells_late_after(fault):
                return
        case _:
            raise AssertionError(fault)
    world.fired(fault.kind)
    world.log[-1] += f"  ({fault})"
    if not fault.kind.startswith(("events_", "receipts_")):  # market time flies, so that the next ones come first
        world.trouble(size + 1.0)


def _unexplained(world: "World", fault: Fault) -> bool:
    """Money comes or goes and the venue has no record of it; False where it is in use, or no books are open yet."""
    if not world.oracle.ledger:
        return False
    usd = (world.plan.cash * Decimal(f"{fault.size:.6f}")).quantize(Decimal("0.01"))
    try:
        world.wire.sim.move_capital(KEY, "USDT", usd, Decimal(0), told=False)
    except VenueError:
        return False
    world.oracle.came(usd)
    return True


def _dies_in_outage(world: "World", fault: Fault) -> None:
    """The next daemon finds an extreme event in its books, and room to open."""
    world.streams.lose(fault.how, OUTAGE_S)
    if world.life.running and not world.owner.tasks:
        world.owner.gives(Command(0, "limits", "", 0.6))

    def dies() -> None:
        if world.calm or not world.life.running or not world.oracle.extreme_is_written():
            return
        world.oracle.said_names["died in an extreme event"] += 1
        world.kill(world.life, fault.size)
        world.loop.call_later(fault.size + TEMPTED_S, tempts)

    def tempts() -> None:
        if not world.calm and world.life.running and not world.owner.tasks:
            world.owner.gives(Command(0, "limits_back"))

    world.loop.call_later(DIES_S, dies)


def _change_filters(world: "World", fault: Fault) -> None:
    """Coarser lots and a larger least order, from now on."""
    coin = world.market.coins[fault.how]
    for listing in (coin.spot, coin.perp):
        world.market.relist(
            dataclasses.replace(
                listing,
                lot=listing.lot * (10 if listing.book is Book.SPOT else 1),
                quantity_min=listing.quantity_min * 10,
                notional_min=listing.notional_min * int(fault.size),
            )
        )


def _change_caps(world: "World", fault: Fault) -> None:
    """Another cap and floor on a coin's funding, for a while. Only what is not the venue's rule is in fundingInfo."""
    perp = world.market.coins[fault.how].perp
    cap = CAP_OF_MAINTENANCE * perp.tiers[0].maintenance_rate
    if fault.size:
        cap = Decimal(f"{fault.size:.8f}")
        world.plant(dataclasses.replace(fault, at=fault.at + CAPPED_H, size=0.0))
    world.market.relist(dataclasses.replace(perp, funding_cap=cap, funding_floor=-cap))


def _deleverage(world: "World", fault: Fault) -> bool:
    """The venue closes one of our positions; False when there is none."""
    state = world.exchange._state
    account = state.accounts[KEY]
    if not account.holdings:
        return False
    symbol = sorted(account.holdings)[int(fault.size * 100) % len(account.holdings)]
    world.step_venue()
    close_at_mark(state, account, symbol, state.now_ms, "adl_autoclose")
    world.wire.sim._collect(world.exchange.advance(state.now_ms))
    world.wire.sim.settle()
    return True


def database_error(name: str, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error
