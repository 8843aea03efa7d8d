"""Whether the daemon keeps its connections: seen from the venue's end of them."""

from typing import TYPE_CHECKING

from tests.campaign.sockets import LINES, USER_PERP, USER_SPOT, Socket

if TYPE_CHECKING:
    from tests.campaign.world import World

UNREAD_S = 1.0
"""What arrives is read at once: nothing blocks the daemon's loop here."""
BACK_S = 34.0
"""By then all lines are connected and subscribed again: the longest pause between two attempts, and one attempt."""


def watch(world: "World") -> None:
    life, now_s, oracle = world.life, world.loop.now_s, world.oracle
    if not life.running:
        return
    complaints, damaged = life.venue.malformed_frames, world.streams.damaged[life.number]
    oracle.check(16, complaints == damaged, f"{damaged} damaged frames were read, and {complaints} complained of")
    world.streams.damaged[life.number] = complaints
    own = [socket for socket in world.streams.sockets if socket.life is life]
    for socket in own:
        unread = socket.unread_s is not None and now_s - socket.unread_s > UNREAD_S
        oracle.check(20, not unread, f"frames of {socket.line} are not read")
        if unread:
            socket.unread_s = now_s + 1e6
    if oracle.short_of_weight():  # a listen key is asked for within what is left of the minute, or after it
        world.streams.short_s = now_s
    calm_s = max(world.faulty_until_s, world.streams.short_s, world._born_s)
    unheard_s = world.streams.unheard_s = {
        line: world.streams.unheard_s.get(line, now_s) for line in unheard(world)
    }  # one that tells nothing in a quiet market is made anew by the daemon
    gone = {line for line, since_s in unheard_s.items() if now_s - max(since_s, calm_s) > BACK_S}
    gone -= world.streams.missed
    oracle.check(20, not gone, f"nobody listens to {', '.join(sorted(gone))} after {BACK_S:.0f} s of calm")
    world.streams.missed |= gone


def unheard(world: "World") -> set[str]:
    """Lines through which the newest daemon would be told nothing."""
    return set(LINES) - {one.line for one in world.streams.sockets if one.life is world.life and _told(one)}


def _told(socket: Socket) -> bool:
    """Whether the venue would tell it anything."""
    if not socket.open or socket.half_open:
        return False
    if socket.line == USER_SPOT:
        return bool(socket.account_subscriptions)
    return bool(socket.listen_keys if socket.line == USER_PERP else socket.names)
