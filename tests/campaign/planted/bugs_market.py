"""Planted bugs of what the venue does to a market: its end, and what it says of it."""

from contextlib import ExitStack

from bot.venues.binance import listing
from tests.campaign.planted.catalogue import planted, put


@planted("a spot of which the end is announced is left in time")
def spot_schedule_unread(stack: ExitStack) -> None:
    put(stack, listing, "spot_ends_ms", lambda schedule: {})
