"""What a start makes of an account that is not set up as it should be."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.time import DAY_MS
from bot.ports import KeyRights, VenueError
from bot.venues.binance import AccountModes, BinanceVenue
from bot.venues.binance import venue as venue_module

FULL = KeyRights(True, True, True, can_withdraw=False, ip_restricted=True)


async def connected(
    monkeypatch: pytest.MonkeyPatch, modes: AccountModes, rights: KeyRights = FULL
) -> list[tuple[str, Any]]:
    """What is told by a start whose other questions are answered as they should be."""
    told: list[tuple[str, Any]] = []
    venue = BinanceVenue(
        "binance", "main", "key", "secret", log=lambda _, name, fields: told.append((name, fields["problem"]))
    )

    async def fine(*_: Any) -> None:
        return None

    async def answer() -> AccountModes:
        return modes

    async def allowed() -> KeyRights:
        return rights

    monkeypatch.setattr(venue, "key_rights", allowed)
    monkeypatch.setattr(venue._rest, "measure_clock", fine)
    monkeypatch.setattr(venue, "_read_market_time", fine)
    monkeypatch.setattr(venue, "fetch_listing", fine)
    monkeypatch.setattr(venue, "account_modes", answer)
    try:
        await venue.connect()
    finally:
        await venue.close()
    return told


async def test_nothing_starts_in_hedge_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry would fill its spot order, have its perpetual refused (-4061) and pay for the way back."""
    with pytest.raises(VenueError, match="set one-way mode"):
        await connected(monkeypatch, AccountModes(hedge_mode=True, multi_assets=False))


async def test_other_wrong_modes_are_told_and_what_is_held_is_managed(monkeypatch: pytest.MonkeyPatch) -> None:
    ((name, problem),) = await connected(monkeypatch, AccountModes(hedge_mode=False, multi_assets=True))
    assert name == "venue.account_modes"
    assert "single-asset" in problem


async def test_of_a_right_account_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await connected(monkeypatch, AccountModes(hedge_mode=False, multi_assets=False)) == []


async def test_nothing_starts_with_a_key_that_can_withdraw(monkeypatch: pytest.MonkeyPatch) -> None:
    right = AccountModes(hedge_mode=False, multi_assets=False)
    with pytest.raises(VenueError, match="without withdrawal rights"):
        await connected(monkeypatch, right, replace(FULL, can_withdraw=True))


async def test_what_the_key_lacks_is_told_and_what_is_held_is_managed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is bound to no address loses the right to trade after some weeks: margin can still be moved."""
    right = AccountModes(hedge_mode=False, multi_assets=False)
    ((name, problem),) = await connected(monkeypatch, right, replace(FULL, can_trade_spot=False))
    assert name == "venue.account_modes"
    assert problem == "the key lacks spot trading; allow it in the venue's API settings"


@pytest.mark.parametrize(("days", "told"), [(13, 1), (15, 0), (-1, 1)])
async def test_a_key_whose_right_to_trade_ends_soon_is_told_of(
    monkeypatch: pytest.MonkeyPatch, days: int, told: int
) -> None:
    """Else it ends at some hour of the night, with hedges open that nobody can close any more."""
    monkeypatch.setattr(venue_module, "time_ns", lambda: 1_800_000_000_000 * 1_000_000)
    right = AccountModes(hedge_mode=False, multi_assets=False)
    rights = replace(FULL, trades_until_ms=1_800_000_000_000 + days * DAY_MS + 1)
    problems = [problem for _, problem in await connected(monkeypatch, right, rights)]
    assert len(problems) == told
    assert all("right to trade ends in" in problem for problem in problems)


async def test_the_end_of_a_keys_right_is_read_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = dict.fromkeys(
        ("enableReading", "enableSpotAndMarginTrading", "enableFutures", "enableWithdrawals", "ipRestrict"), True
    )
    venue = BinanceVenue("binance", "main", "key", "secret")

    async def answer(*_: Any) -> Any:
        return reply

    monkeypatch.setattr(venue._rest, "data", answer)
    assert (await venue.key_rights()).trades_until_ms == 0
    reply["tradingAuthorityExpirationTime"] = 1_628_985_600_000
    assert (await venue.key_rights()).trades_until_ms == 1_628_985_600_000
