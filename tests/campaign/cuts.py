"""Faults of the daemon's connections and of the bytes in them, when their hour or order has come."""

from typing import TYPE_CHECKING

from tests.campaign.sockets import FEED_OF, LINES, USER_SPOT, going_away

if TYPE_CHECKING:
    from tests.campaign.faults import Fault
    from tests.campaign.world import World

GIVEN_UP_S = 6.0
"""A connection without pongs is given up after so long."""
PAUSE_S = 30.0
"""The longest pause between two attempts to connect."""


def strike(world: "World", fault: "Fault") -> float:
    """Does it; for how many seconds the daemon may be busy with it."""
    streams, now_s, size = world.streams, world.loop.now_s, fault.size
    match fault.kind:
        case "lines_ended":  # as the venue does after 24 hours
            streams.cut(LINES, going_away())
            return 3.0
        case "line_half_open":
            for socket in streams.sockets:
                socket.half_open = socket.half_open or socket.line == fault.how
            return GIVEN_UP_S + 3.0
        case "reconnects_refused":
            for feed in sorted(set(FEED_OF.values())):
                streams.lose(feed, size)
            return min(2 * size, size + PAUSE_S)
        case "reconnects_slow":
            streams.slow = now_s + size, size
            streams.cut(LINES)
            return 2 * size + 12.0
        case "feed_mute":
            streams.mute_until_s[fault.how] = now_s + size
            return size + 3.0
        case "frames_malformed":
            line, _, form = fault.how.partition(" ")
            streams.spoilt_until_s[line] = now_s + size, form
            return size + 3.0
        case "frames_disordered":
            streams.disorder = now_s + size, fault.how
            return size
        case "subscription_failed":
            streams.acks = [fault.how] * int(size)
            streams.cut((USER_SPOT,))
            return 12.0 * size
        case "listen_key_expired":
            world.wire.sim.listen_keys.expire_all()
            world.wire.expire_keys()
            return 3.0
        case _:
            raise AssertionError(fault)
