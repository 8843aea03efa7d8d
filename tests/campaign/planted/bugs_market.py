"""Planted bugs of what the venue does to a market: its end, and what it says of it."""

from contextlib import ExitStack
from typing import Any

from bot.domain.instruments import Pair
from bot.engine import holdings, money
from bot.venues.binance import account, listing
from tests.campaign.planted.catalogue import planted, put


@planted("a spot of which the end is announced is left in time")
def spot_schedule_unread(stack: ExitStack) -> None:
    put(stack, listing, "spot_ends_ms", lambda schedule: {})


@planted("what is held stays listed when its market closes")
def closed_market_unlisted(stack: ExitStack) -> None:
    listing_of = account.list_instruments

    def forgetful(*given: Any, kept: Any, **more: Any) -> Any:
        return listing_of(*given, **more)

    put(stack, account, "list_instruments", forgetful)


@planted("a perpetual whose coins cannot be sold is not closed alone")
def closed_market_unseen(stack: ExitStack) -> None:
    put(stack, Pair, "trades", True)


@planted("a perpetual that the venue settles at its end is followed by its spot")
def settlement_is_foreign(stack: ExitStack) -> None:
    put(stack, money, "TAKEN_PREFIXES", ("autoclose-", "adl_autoclose"))


@planted("what the venue lists no more is counted in its units")
def gone_market_forgotten(stack: ExitStack) -> None:
    put(stack, listing, "gone_rows", lambda *_: [])


@planted("a hedge gives up the coins that its owner accepted to be gone")
def renamed_coins_kept(stack: ExitStack) -> None:
    put(stack, holdings, "give_up", lambda *_: None)
