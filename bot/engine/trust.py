"""Whether a venue has the money that the books say: an order that it refuses for want of money is a reason to look,
so is a margin wallet that it should have liquidated, and a start whose first balances differ from the books.

Most often the owner has withdrawn, and of every entry one leg would fill and be taken back. So nothing opens until
its balances have been fetched and agree; what reduces goes on. A second refusal soon after counts for `DOUBT_MS`: a
venue whose margin the books misjudge for good must not be tried with each reconciliation.
"""

from bot.domain.actions import Reconcile
from bot.engine.state import Actions, EngineState

DOUBT_MS = 30_000
"""Wall time."""


def doubt(state: EngineState, venue: str, out: Actions) -> None:
    """An order was refused for want of money."""
    if _begins(state, venue, "an order was refused for want of money", out):
        out.warning("venue.short", venue=venue)


def fear(state: EngineState, venue: str, level: float, out: Actions) -> None:
    """By our own prices the margin wallet is where the venue buys back what is owed; only trades tell so."""
    if _begins(state, venue, "the margin wallet may have been liquidated", out):
        out.critical("margin.beyond_liquidation", venue=venue, level=round(level, 4))


def _begins(state: EngineState, venue: str, why: str, out: Actions) -> bool:
    if venue in state.book.doubted:
        return False
    state.book.doubted[venue] = state.book.now.mono_ms
    out.append(Reconcile(venue, why))
    return True


def compared(state: EngineState, venue: str, out: Actions) -> None:
    """Complete balances have been held against the books.

    A difference that stands since before a restart was a fact then, and nothing opened: this process has to see it
    three times to know so, or agreement once.
    """
    now = state.book.now.mono_ms
    if any(key[0] == venue for key in state.differences):
        if venue not in state.agreed_mono_ms:
            state.book.doubted.setdefault(venue, now)
        return
    state.agreed_mono_ms[venue] = now
    since = state.book.doubted.get(venue)
    if since is None:
        return
    again = since - state.trusted_mono_ms.get(venue, -DOUBT_MS) < DOUBT_MS
    if not again or now - since >= DOUBT_MS:
        del state.book.doubted[venue]
        state.trusted_mono_ms[venue] = now
        state.decide_due = True
        out.info("venue.trusted", venue=venue)


def insist(state: EngineState, venue: str, out: Actions) -> None:
    """A reconciliation ended: another one at once, while a doubt or a difference is open that is no fact yet."""
    if venue in state.book.unexplained:
        return
    since = state.book.doubted.get(venue)
    if any(key[0] == venue for key in state.differences):
        out.append(Reconcile(venue, "the balances differ from the ledger"))
    elif since is not None and state.agreed_mono_ms.get(venue, -1) <= since:
        out.append(Reconcile(venue, "an order was refused for want of money"))
