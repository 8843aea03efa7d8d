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
