"""What the venue ends, and a coin that gets another name: told in time, or while no daemon listens."""

from dataclasses import replace
from typing import Any

import pytest

from bot.simulator.model import Book
from bot.simulator.wire import futures_rest, sapi, spot_rest
from bot.simulator.wire.api import Call
from bot.simulator.wire.frames import parse_stream
from bot.simulator.wire.params import Params
from tests.campaign import session
from tests.campaign.answers import KEY
from tests.campaign.clockwork import VirtualLoop
from tests.campaign.faults import HOUR, Fault
from tests.campaign.market import HOUR_MS, START_MS
from tests.campaign.plans import plan
from tests.campaign.world import World

SEED = 520_000
RENAMED = "renamed"


def _said(kind: str, at: float, size: float) -> session.Result:
    found = plan(SEED, range(100))
    found.commands, found.flatten_at_end = [], False
    found.faults = [Fault(kind, HOUR, at, "XRP", size)]
    result = session.play(found)
    assert not result.failed, result.violations
    assert result.fired[kind] == 1
    return result


def test_what_ends_in_half_a_day_is_left_in_time() -> None:
    said = _said("end_announced", 12.01, 3.5).said
    assert said["forced by R8"]
    assert not said["perpetual settled"]


@pytest.mark.parametrize("at", [12.0, 12.001, 12.0021], ids=["coins still there", "coins turned", "listed no more"])
def test_coins_that_were_turned_into_others_are_given_up_by_their_owner(at: float) -> None:
    said = _said(RENAMED, at, 2.0).said
    assert said["hedge.coins_gone"] == 1
    assert said["ledger.difference"] >= 2
    assert said["perpetual settled"]


def test_the_coins_of_a_perpetual_that_ended_unheard_are_sold() -> None:
    said = _said("end_announced", 12.0, 2.0).said
    assert said["perpetual settled"] == said["position.taken"] == 1
    assert not said["hedge.coins_gone"]


def test_a_market_that_has_ended_is_settling_for_a_while_then_listed_no_more_and_tells_nothing() -> None:
    loop = VirtualLoop()
    try:
        world = World(plan(SEED, range(100)), loop)
        coin = world.market.coins["XRP"]
        for listing in (coin.spot, coin.perp):
            world.market.relist(replace(listing, ends_ms=START_MS + 2 * HOUR_MS))
        assert _seen(world, 1.9) == ("TRADING", "TRADING", True, True)
        assert _seen(world, 2.1) == ("BREAK", "SETTLING", True, False)
        assert _seen(world, 14.1) == (None, None, False, False)
        assert "XRPUSDT" in world.wire.sim.settled_rates
        ended_ms = [
            one.at_ms for one in world.wire.sim.settled_rates["XRPUSDT"] if one.at_ms >= START_MS + 2 * HOUR_MS
        ]
        assert not ended_ms
    finally:
        loop.close()


def _seen(world: World, hour: float) -> tuple[str | None, str | None, bool, bool]:
    """(status of the spot, of the perpetual, whether the spot's end is scheduled, whether marks are told)"""
    world.market_ms = START_MS + hour * HOUR_MS
    sim, call = world.wire.sim, Call(Params({}), KEY)
    sim.step()

    def status(info: Any) -> str | None:
        return next((row["status"] for row in info["symbols"] if row["symbol"] == "XRPUSDT"), None)

    stream = parse_stream(sim, Book.PERP, "!markPrice@arr@1s")
    assert stream is not None
    ((_, marks),) = world.wire.hub._rows(stream, set(), {}, fresh=True)
    scheduled = [symbol for row in sapi.spot_ends(sim, call) for symbol in row["symbols"]]
    return (
        status(spot_rest.exchange_info(sim, call)),
        status(futures_rest.exchange_info(sim, call)),
        "XRPUSDT" in scheduled,
        "XRPUSDT" in {row["s"] for row in marks},
    )
