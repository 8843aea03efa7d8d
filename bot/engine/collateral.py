"""Own money behind loans: what the margin wallet lacks for what is owed or aimed at, and what it can give back."""

from decimal import Decimal

from bot.domain.books import Books
from bot.domain.guards import Remembered
from bot.domain.instruments import Wallet
from bot.domain.loans import WITHDRAWAL_LEVEL, collateral_share
from bot.domain.market import CollateralRatio
from bot.domain.numbers import ZERO
from bot.domain.structures import COIN
from bot.domain.valuation import margin_wallet, mark_price
from bot.engine.state import Actions, EngineState, Shown
from bot.ledger import postings
from bot.risk.rules import r07_liquidation

RULE = "R7"
QUOTE = "USDT"
RATIO = "collateral"
CRUMB_USD = 10.0
"""Quote currency that stays where a crumb is still owed: the venue may buy it back, by the lot, on a recall."""
SLACK = 1.04
"""Collateral aims this far above what R7 and the venue ask for, so that it is not moved for every tick."""
TOLD_STEP = 0.005
"""A ratio that is nearer to the one of which the owner was told is no news: by tiers it changes with what is held."""


def valued(state: EngineState, event: CollateralRatio, out: Actions) -> None:
    """What quote currency counts for behind loans from now on. The owner hears of each change once."""
    known = state.market.collateral_ratio(event.venue)
    if event.ratio == known:
        return
    state.market.collateral[event.venue] = event.ratio
    state.decide_due = True
    out.persist(Remembered(RULE, event.venue, RATIO, Decimal(repr(event.ratio)), state.book.now.market_ms))
    guards = state.book.guards
    told = guards.collateral_told.get(event.venue, 1.0)
    if abs(event.ratio - told) < TOLD_STEP:
        return
    guards.collateral_told[event.venue] = event.ratio
    wallet = margin_wallet(state.book, event.venue)
    figures: dict[str, Shown] = {
        "rule": RULE,
        "venue": event.venue,
        "asset": QUOTE,
        "before": told,
        "ratio": event.ratio,
    }
    if event.ratio > told:
        out.info("collateral.raised", **figures)
        return
    limits = state.config.limits.liquidation
    tell = out.critical if wallet.distance < limits.min else out.warning
    tell(
        "collateral.cut",
        **figures,
        limit=limits.warn,
        observed=round(wallet.distance, 4),
        done="moving collateral to the margin wallet; below the minimum distance what it lacks is bought back"
        if wallet.owed_usd > 0
        else "nothing is owed; what is borrowed from now on needs more behind it",
        remedy="bring quote currency into the account if the distance stays short; `carrybot close COIN` ends a loan",
    )


def restore(books: Books, state: EngineState) -> None:
    """What the venue last counted, until it is asked again."""
    for one in books.remembered:
        if one.rule == RULE and one.name == RATIO and one.value > 0:
            state.market.collateral[one.subject] = state.book.guards.collateral_told[one.subject] = float(one.value)


def lacking_usd(state: EngineState, venue: str) -> Decimal:
    """Collateral to bring, zero within half of the slack; negative never."""
    if not state.market.reverse:
        return ZERO
    needed = _needed_usd(state, venue)
    lacking = needed * SLACK - margin_wallet(state.book, venue).own_usd
    return Decimal(repr(lacking)) if lacking > needed * (SLACK - 1) / 2 else ZERO


def spare_usd(state: EngineState, venue: str, wanted: Decimal) -> Decimal:
    """What can go back to the spot wallet: all that the venue lets go once nothing more is to be borrowed there.

    Before, what no loan needs goes as far as the other wallets have use for it (`wanted`, USD, may be negative).
    """
    if not state.market.reverse:
        return ZERO
    needed, wallet = _needed_usd(state, venue), margin_wallet(state.book, venue)
    if wallet.assets_usd <= 0 or (needed > 0 and wanted <= 0):
        return ZERO
    # Coins left over by lots are worth something and cannot be moved: what goes is quote currency that is there.
    cash = state.ledger.balance(postings.wallet_account(venue, Wallet.MARGIN), QUOTE)
    kept = WITHDRAWAL_LEVEL * wallet.owed_usd / wallet.ratio + CRUMB_USD if wallet.owed_usd > 0 else 0.0
    spare = min(Decimal(repr(wallet.withdrawable_usd)), cash - Decimal(repr(kept)))
    return spare if needed <= 0 else min(spare, wanted, Decimal(repr(wallet.own_usd - needed * SLACK)))


def _needed_usd(state: EngineState, venue: str) -> float:
    """Own money for what is owed or aimed at, whichever is more."""
    owed = 0.0
    for hedge in state.book.live_hedges():
        price = mark_price(state.book, hedge.legs[COIN].instrument)
        if hedge.venue == venue and hedge.structure.owes and price is not None:
            owed += float(max(abs(hedge.legs[COIN].quantity_base), hedge.target_base) * price)
    distance = state.config.limits.liquidation.warn + r07_liquidation.AIM_MARGIN
    return owed * collateral_share(distance, state.market.collateral_ratio(venue))
