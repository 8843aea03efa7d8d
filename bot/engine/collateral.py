"""Own money behind loans: what the margin wallet lacks for what is owed or aimed at, and what it can give back."""

from decimal import Decimal

from bot.domain.instruments import Wallet
from bot.domain.loans import WITHDRAWAL_LEVEL, collateral_share
from bot.domain.numbers import ZERO
from bot.domain.structures import COIN
from bot.domain.valuation import margin_wallet, mark_price
from bot.engine.state import EngineState
from bot.ledger import postings
from bot.risk.rules import r07_liquidation

QUOTE = "USDT"
CRUMB_USD = 10.0
"""Quote currency that stays where a crumb is still owed: the venue may buy it back, by the lot, on a recall."""
SLACK = 1.04
"""Collateral aims this far above what R7 and the venue ask for, so that it is not moved for every tick."""


def lacking_usd(state: EngineState, venue: str) -> Decimal:
    """Collateral to bring, zero within half of the slack; negative never."""
    if not state.market.reverse:
        return ZERO
    needed = _needed_usd(state, venue)
    lacking = needed * SLACK - margin_wallet(state.book, venue).own_usd
    return Decimal(repr(lacking)) if lacking > needed * (SLACK - 1) / 2 else ZERO


def spare_usd(state: EngineState, venue: str) -> Decimal:
    """What can go back to the spot wallet: all that the venue lets go once nothing more is to be borrowed there."""
    if not state.market.reverse:
        return ZERO
    wallet = margin_wallet(state.book, venue)
    if _needed_usd(state, venue) > 0 or wallet.assets_usd <= 0:
        return ZERO
    # Coins left over by lots are worth something and cannot be moved: what goes is quote currency that is there.
    cash = state.ledger.balance(postings.wallet_account(venue, Wallet.MARGIN), QUOTE)
    kept = WITHDRAWAL_LEVEL * wallet.owed_usd + CRUMB_USD if wallet.owed_usd > 0 else 0.0
    return min(Decimal(repr(wallet.withdrawable_usd)), cash - Decimal(repr(kept)))


def _needed_usd(state: EngineState, venue: str) -> float:
    """Own money for what is owed or aimed at, whichever is more."""
    owed = 0.0
    for hedge in state.book.live_hedges():
        price = mark_price(state.book, hedge.legs[COIN].instrument)
        if hedge.venue == venue and hedge.structure.owes and price is not None:
            owed += float(max(abs(hedge.legs[COIN].quantity_base), hedge.target_base) * price)
    return owed * collateral_share(state.config.limits.liquidation.warn + r07_liquidation.AIM_MARGIN)
