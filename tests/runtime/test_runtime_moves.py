"""Moves between wallets that a start finds in its books: none of them explains a transfer that is asked about now."""

from decimal import Decimal

from quiet_venue import START_MS, QuietVenue
from test_runtime_reconcile import Rig, pending

from bot.domain import events as ev
from bot.ports import TransferBooked
from bot.runtime import moves

IDS = {
    "transfer:toy:m1",
    *("capital:toy:m2:spot", "capital:toy:m2:perp"),
    *("capital:toy:deposit:77", "capital:toy:MAIN_MARGIN:78", "capital:toy:w1:returned", "capital:toy:accepted:9"),
    *("transfer:other:m3", "capital:other:m4:spot", "opening:toy:margin"),
}


def test_moves_of_ours_and_of_the_owners_are_known_by_the_venues_ids() -> None:
    assert moves.booked(IDS, "toy") == {"m1", "m2"}


async def test_a_move_by_hand_from_before_a_restart_is_not_taken_for_a_transfer_of_ours() -> None:
    """The same amount, in the same direction, in the hour before: what got no answer was never made."""
    rig = await Rig(QuietVenue()).start()
    move = pending(rig)
    rig.books.transfers_seen |= moves.booked({"capital:toy:m2:spot", "capital:toy:m2:perp"}, "toy")
    rig.venue.transfers = [TransferBooked("m2", "USDT", move.amount, move.source, move.target, START_MS)]
    assert not await rig.reconciler.once("regular", tries=1)
    assert not any(isinstance(event, ev.TransferSettled) for event in rig.delivered)
    assert move.amount == Decimal(500)


async def test_of_a_move_by_hand_of_which_a_crash_left_one_side_the_other_one_is_booked_too() -> None:
    """Each side is a step of the core, and two steps may be of two commits."""
    rig = await Rig(QuietVenue()).start()
    rig.venue.now_ms += 1_000
    rig.venue.balances["spot"]["USDT"] -= 300
    rig.venue.balances["perp"]["USDT"] += 300
    rig.venue.transfers = [TransferBooked("m2", "USDT", Decimal(300), "spot", "perp", rig.venue.now_ms)]
    rig.delivered.append(ev.CapitalMoved("toy", "spot", "USDT", Decimal(-300), "m2:spot", rig.venue.now_ms, True))
    await rig.flush()
    rig.books.transfers_seen |= moves.booked({"capital:toy:m2:spot"}, "toy")
    assert await rig.reconciler.once("start")
    await rig.flush()
    assert rig.state.differences == {}
    assert rig.state.ledger.balance("equity:capital", "USDT") == 0
    booked = rig.state.ledger.count
    rig.reconciler._capital_s -= 60
    rig.venue.balances["spot"]["USDT"] -= 1
    await rig.reconciler.once("regular")
    await rig.flush()
    assert rig.state.ledger.count == booked, "and once"
