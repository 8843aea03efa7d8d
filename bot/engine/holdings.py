"""Coins that hedges hold lie in a wallet: what has left it is theirs no more, and their perpetual may not outlast it.

An owner's withdrawal, move or sale is booked by the venue's own record, so that the books agree again, also where the
coins were a hedge's: its short would be naked, and nothing would differ. Only balances that agree are believed.
"""

from decimal import Decimal

from bot.domain.events import AccountReported
from bot.domain.hedges import Hedge, Leg
from bot.domain.numbers import ZERO, floor_to
from bot.domain.valuation import price_of
from bot.engine.guarding import save_mark
from bot.engine.hedging import aim
from bot.engine.money import move_leg
from bot.engine.state import Actions, EngineState
from bot.ledger import postings
from bot.risk.rules import r05_drawdown

GONE = "its coins have left the wallet"


def holding(state: EngineState, venue: str, wallet: str, asset: str) -> list[tuple[Hedge, Leg]]:
    """Coin legs of live hedges that lie in this wallet as this asset, the oldest first."""
    found = [
        (hedge, leg)
        for hedge in state.book.live_hedges()
        for leg in hedge.legs
        if hedge.venue == venue and _lies_in(state, leg, wallet, asset)
    ]
    return sorted(found, key=lambda one: one[0].number)


def held_base(state: EngineState, venue: str, wallet: str, asset: str) -> Decimal:
    """Coins of this asset that live hedges hold in this wallet."""
    return sum((leg.quantity_base for _, leg in holding(state, venue, wallet, asset)), ZERO)


def lacking_base(state: EngineState, venue: str, wallet: str, asset: str) -> Decimal:
    """Coins that live hedges hold beyond what is there, by the books.

    What closed hedges owe still, interest that was told after their end, was paid back with coins of the one that
    came after them: the wallet has so many less, and none have left it.
    """
    left = (
        leg.quantity_base
        for hedge in state.remembered_hedges()
        for leg in hedge.legs
        if not hedge.live and hedge.venue == venue and _lies_in(state, leg, wallet, asset)
    )
    there = state.ledger.balance(postings.wallet_account(venue, wallet), asset)
    return held_base(state, venue, wallet, asset) + min(ZERO, sum(left, ZERO)) - there


def _lies_in(state: EngineState, leg: Leg, wallet: str, asset: str) -> bool:
    listed = state.market.instruments.get(leg.instrument) if leg.kind.is_coin else None
    return listed is not None and (listed.base_asset, listed.wallet.value) == (asset, wallet)


def compared(state: EngineState, event: AccountReported, out: Actions) -> None:
    """Balances were looked at: where they agree, hedges give up what they hold beyond them, and aim at the rest."""
    if not event.complete:
        return
    for wallet, asset in sorted(_places(state, event.venue)):
        if (event.venue, wallet, asset) in state.differences:
            continue
        lacking = lacking_base(state, event.venue, wallet, asset)
        for hedge, leg in holding(state, event.venue, wallet, asset):
            pair, quantity = state.book.pair_of(hedge), min(lacking, leg.quantity_base)
            if pair is None or quantity <= pair.tolerance:
                continue  # a crumb, as of fees that were paid in this coin, makes no short naked
            lacking -= quantity
            give_up(state, hedge, leg, quantity, GONE, out)
            left = max(ZERO, floor_to(leg.quantity_base, pair.step))
            if left < hedge.target_base:
                aim(state, hedge, left, GONE, out)


def _places(state: EngineState, venue: str) -> set[tuple[str, str]]:
    """(wallet, asset) of what live hedges hold at a venue."""
    legs = (leg for hedge in state.book.live_hedges() if hedge.venue == venue for leg in hedge.legs)
    names = (leg.instrument for leg in legs if leg.kind.is_coin and leg.quantity_base > 0)
    known = (state.market.instruments[name] for name in names if name in state.market.instruments)
    return {(one.wallet.value, one.base_asset) for one in known}


def take(state: EngineState, hedge: Hedge, leg: Leg, quantity: Decimal, reason: str, out: Actions) -> Decimal:
    """The leg is so many coins less, or owes them: at their last price, which is returned, and no loss to R5."""
    worth_usd, price = r05_drawdown.worth_usd(state.book), price_of(state.book, hedge)
    move_leg(leg, -quantity, price)
    r05_drawdown.capital_moved(state.book, worth_usd, -quantity * price)
    save_mark(state, out)
    hedge.reason, hedge.wait_until_mono_ms = reason, 0
    out.persist(hedge)
    return price


def give_up(state: EngineState, hedge: Hedge, leg: Leg, quantity: Decimal, reason: str, out: Actions) -> None:
    """The hedge holds so many coins less: they left, and its owner is told."""
    price = take(state, hedge, leg, quantity, reason, out)
    out.critical(
        "hedge.coins_gone",
        hedge=hedge.id,
        coin=hedge.coin,
        quantity_base=quantity,
        price=price,
        left_base=leg.quantity_base,
        done="the hedge holds them no more: its other leg is brought down to what is left",
        remedy="none needed; what became of the coins is yours",
    )
