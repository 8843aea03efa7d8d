"""The venue's own balances and positions held against the books; and what was there before the bot came.

A wallet's opening balance is what its first complete report shows. The margin wallet has one of its own, as it may be
used only later: then what the books lack in it was there before, provided that all other wallets agree.
"""

from collections.abc import Mapping
from decimal import Decimal

from bot.domain.events import AccountReported, PositionRisk
from bot.domain.instruments import MarginTier, Wallet
from bot.domain.margin import ShortPosition
from bot.domain.numbers import ZERO
from bot.engine import trust
from bot.engine.state import Actions, EngineState
from bot.ledger import postings

POSITION = "position"
"""Stands for the wallet where a position differs and not a balance."""
DIFFERENCE_CONFIRMED = 3
"""How often in a row a difference must be seen before it is a fact and not a race with the venue's views."""


def compare_account(state: EngineState, event: AccountReported, out: Actions) -> None:
    """Hold the venue's balances and positions against the books; the first report opens the ledger."""
    if not event.complete:
        return
    margin = Wallet.MARGIN.value
    if not any(account.startswith(f"venue:{event.venue}:") for account, _ in state.ledger.balances):
        first = {wallet: assets for wallet, assets in event.balances.items() if wallet != margin}
        _open(state, event, None, first, out)
    found = _differences(state, event)
    unopened = margin in event.balances and postings.opening_id(event.venue, margin) not in state.openings
    if unopened and all(wallet == margin for _, wallet, _ in found):
        lacking = {asset: amount for (_, _, asset), amount in found.items()}
        _open(state, event, margin, {margin: lacking}, out)
        found = {}
    for key in [key for key in state.differences if key[0] == event.venue and key not in found]:
        del state.differences[key]
        out.info("ledger.agrees", venue=key[0], wallet=key[1], asset=key[2])
    for key, difference in found.items():
        before, seen = state.differences.get(key, (ZERO, 0))
        count = seen + 1 if before == difference else 1
        state.differences[key] = difference, count
        if count == DIFFERENCE_CONFIRMED:
            out.critical("ledger.difference", venue=key[0], wallet=key[1], asset=key[2], venue_less_ledger=difference)
    for asset in [asset for venue, asset in state.market.repaid_ms if venue == event.venue]:
        if (event.venue, margin, asset) not in state.differences:
            del state.market.repaid_ms[event.venue, asset]  # all interest of that time is booked
    state.book.strangers[event.venue] = _strangers(state, event)
    trust.compared(state, event.venue, out)


def _strangers(state: EngineState, event: AccountReported) -> tuple[Decimal, tuple[ShortPosition, ...]]:
    """What the owner holds by hand beside the hedges: the same margin bears it (R7).

    In an instrument of ours it may be a view that lags behind our own trade, until the difference is confirmed.
    """
    unrealized, found = ZERO, list[ShortPosition]()
    for (venue, what, name), (difference, seen) in state.differences.items():
        quantity, risk = event.positions.get(name, ZERO), event.risks.get(name)
        sure = seen >= DIFFERENCE_CONFIRMED or name not in state.market.instruments
        if venue != event.venue or what != POSITION or risk is None or not quantity or not sure:
            continue
        share = difference / quantity
        unrealized += share * risk.unrealized_usd
        tiers = state.market.tiers.get(name) or _tier(risk)
        found.append(ShortPosition(float(share * risk.notional_usd), tiers))
    return unrealized, tuple(found)


def _tier(risk: PositionRisk) -> tuple[MarginTier, ...]:
    """Of an instrument whose brackets are not listed: the rate that the venue asks for now."""
    if not risk.notional_usd:
        return ()
    rate = risk.maintenance_usd / abs(risk.notional_usd)
    return (MarginTier(ZERO, abs(risk.notional_usd), 1, rate, ZERO),)


def _open(
    state: EngineState,
    event: AccountReported,
    wallet: str | None,
    balances: Mapping[str, Mapping[str, Decimal]],
    out: Actions,
) -> None:
    """Book what was there before the bot came, as of when it was read: a slow disk may have kept that waiting."""
    name, now_ms = postings.opening_id(event.venue, wallet), state.book.now.market_ms
    at_ms = now_ms if event.at_ms is None else min(event.at_ms, now_ms)
    entries = postings.opening_entries(event.venue, balances)
    transaction = state.ledger.post(name, at_ms, "opening", None, entries)
    state.openings[name] = at_ms
    if transaction is not None:
        out.persist(transaction)
        out.info("ledger.opened", venue=event.venue, wallet=wallet, entries=len(entries))


def before_opening(state: EngineState, venue: str, wallet: str, at_ms: int) -> bool:
    """Whether what happened at this market time is in the wallet's own opening balance."""
    return at_ms <= state.openings.get(postings.opening_id(venue, wallet), 0)


def _differences(state: EngineState, event: AccountReported) -> dict[tuple[str, str, str], Decimal]:
    found: dict[tuple[str, str, str], Decimal] = {}
    booked: dict[tuple[str, str], Decimal] = {}
    for (account, asset), amount in state.ledger.balances.items():
        parts = account.split(":")
        if parts[0] == "venue" and parts[1] == event.venue:
            booked[parts[2], asset] = amount
    reported = {(wallet, asset): q for wallet, assets in event.balances.items() for asset, q in assets.items()}
    for wallet, asset in sorted(booked.keys() | reported.keys()):
        difference = reported.get((wallet, asset), ZERO) - booked.get((wallet, asset), ZERO)
        if difference:
            found[event.venue, wallet, asset] = difference
    held: dict[str, Decimal] = {}
    for hedge in state.hedges.values():
        for leg in hedge.legs:
            if not leg.kind.is_coin and hedge.venue == event.venue:
                held[leg.instrument] = held.get(leg.instrument, ZERO) + leg.quantity_base
    for instrument in sorted(held.keys() | event.positions.keys()):
        difference = event.positions.get(instrument, ZERO) - held.get(instrument, ZERO)
        if difference:
            found[event.venue, POSITION, instrument] = difference
    return found


def confirmed_difference(state: EngineState, venue: str) -> bool:
    """Whether the venue's balances differ from the ledger for sure: then nothing opens until it is explained."""
    return any(key[0] == venue and count >= DIFFERENCE_CONFIRMED for key, (_, count) in state.differences.items())
