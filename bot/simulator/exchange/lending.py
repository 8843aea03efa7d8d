"""Cross margin: a wallet that borrows what it sells and repays with what it buys, hourly interest, recall.

A margin order trades on the spot book. A sale of coins that are not there borrows them from the venue's pool; a
purchase first repays what is owed of the coin. Quote currency is never lent. Interest is charged at each full hour
on all that is owed, at the rate of that moment. The level is collateral / liabilities at the middle of the spot book,
each asset at its collateral ratio (1, unless a fault cuts it): nothing is lent below 1.5, nothing may leave below 2,
and at 1.1, or when a recalled loan is due, the venue buys back itself. Binance has had a ratio for each of the three
since January 2026; one stands for all here. Rates are a fraction an hour. Refusals bear Binance's codes.
"""

from decimal import Decimal

from bot.simulator.exchange.accounts import MARGIN_ASSET, Account
from bot.simulator.exchange.faults import FaultKind
from bot.simulator.exchange.money import ZERO, divide, half_even
from bot.simulator.exchange.state import State
from bot.simulator.model import Book, Happening, Listing, LoanEntry, VenueError

HOUR_MS = 3_600_000
YEAR_H = 8_760
INITIAL_LEVEL = Decimal("1.5")
WITHDRAWAL_LEVEL = Decimal(2)
LIQUIDATION_LEVEL = Decimal("1.1")


def terms(state: State, asset: str, at_ms: int) -> tuple[Decimal, Decimal]:
    """(rate an hour, units that the pool can still lend): the venue's own, or what a fault says."""
    known = state.lending.assets.get(asset, (state.lending.rate_per_h, state.lending.pool))
    rate, pool = known
    spiked = state.faults.in_force(FaultKind.BORROW_RATE, asset, at_ms)
    if spiked is not None:
        rate = divide(Decimal(str(spiked["rate_year"])), Decimal(YEAR_H))
    limited = state.faults.in_force(FaultKind.BORROW_LIMIT, asset, at_ms)
    if limited is not None:
        pool = Decimal(str(limited["available"]))
    if state.faults.in_force(FaultKind.LOAN_RECALL, asset, at_ms) is not None:
        pool = ZERO
    lent = sum((account.margin.owed.get(asset, ZERO) for account in state.accounts.values()), ZERO)
    return rate, max(ZERO, pool - lent)


def price(state: State, asset: str, at_ms: int) -> Decimal:
    """Middle of the spot book in quote currency; one for the quote currency itself."""
    if asset == MARGIN_ASSET:
        return Decimal(1)
    top = state.market.top(Book.SPOT, asset + MARGIN_ASSET, at_ms)
    return (top.bid + top.ask) / 2


def collateral_ratio(state: State, asset: str, at_ms: int) -> Decimal:
    """The share of its worth at which an asset counts behind loans."""
    cut = state.faults.in_force(FaultKind.COLLATERAL_RATIO, asset, at_ms)
    return Decimal(1) if cut is None else Decimal(str(cut["ratio"]))


def worth(state: State, account: Account, at_ms: int) -> tuple[Decimal, Decimal]:
    """(collateral, liabilities) of the margin wallet in USD."""
    wallet = account.margin
    held = ((asset, q * price(state, asset, at_ms)) for asset, q in wallet.free.items() if q)
    assets = sum((usd * collateral_ratio(state, asset, at_ms) for asset, usd in held), ZERO)
    owed = sum((q * price(state, asset, at_ms) for asset, q in wallet.owed.items() if q), ZERO)
    return assets, owed


def check_sale(state: State, account: Account, listing: Listing, quantity: Decimal, at_ms: int) -> None:
    """Raises VenueError -3045 or -3006 where what a sale lacks cannot be borrowed."""
    lacking = quantity - account.margin.free.get(listing.base_asset, ZERO)
    if lacking <= 0:
        return
    if lacking > terms(state, listing.base_asset, at_ms)[1]:
        raise VenueError(-3045, "The system does not have enough asset now.")
    assets, owed = worth(state, account, at_ms)
    lent = lacking * price(state, listing.base_asset, at_ms)
    if assets + lent * collateral_ratio(state, MARGIN_ASSET, at_ms) < INITIAL_LEVEL * (owed + lent):
        raise VenueError(-3006, "Your borrow amount has exceed maximum borrow amount.")


def check_purchase(account: Account, listing: Listing, cost: Decimal) -> None:
    """Raises VenueError -2010 where the wallet cannot pay."""
    if cost > account.margin.free.get(listing.quote_asset, ZERO):
        raise VenueError(-2010, "Account has insufficient balance for requested action.")


def sold(state: State, account: Account, listing: Listing, quantity: Decimal, proceeds: Decimal, at_ms: int) -> None:
    """Coins leave, borrowed where there are none; `proceeds` are net of the fee."""
    free, base = account.margin.free, listing.base_asset
    lacking = quantity - free.get(base, ZERO)
    if lacking > 0:
        _note(state, account, "BORROW", base, lacking, at_ms)
        account.margin.owed[base] = account.margin.owed.get(base, ZERO) + lacking
        free[base] = free.get(base, ZERO) + lacking
    free[base] -= quantity
    free[listing.quote_asset] = free.get(listing.quote_asset, ZERO) + proceeds


def bought(state: State, account: Account, listing: Listing, quantity: Decimal, cost: Decimal, at_ms: int) -> None:
    """Coins arrive, net of the fee, and repay what is owed of them."""
    free, owed, base = account.margin.free, account.margin.owed, listing.base_asset
    free[listing.quote_asset] = free.get(listing.quote_asset, ZERO) - cost
    free[base] = free.get(base, ZERO) + quantity
    repaid = min(free[base], owed.get(base, ZERO))
    if repaid > 0:
        _note(state, account, "REPAY", base, repaid, at_ms)
        free[base] -= repaid
        owed[base] -= repaid
        if not owed[base]:
            del owed[base]
            account.margin.recalls.pop(base, None)


def charge(state: State, at_ms: int) -> None:
    """Interest of the hour that ends now; what rounds to nothing leaves no row."""
    for account in state.accounts.values():
        for asset in sorted(account.margin.owed):
            rate = terms(state, asset, at_ms)[0]
            amount = half_even(account.margin.owed[asset] * rate)
            if amount:
                account.margin.owed[asset] += amount
                entry = _note(state, account, "INTEREST", asset, amount, at_ms, rate)
                state.tell(account, Happening("LOAN", at_ms, Book.SPOT, loan=entry))


def recall(state: State, at_ms: int) -> None:
    """Tell who owes what is recalled now, once, with the time by which it must be back."""
    for account in state.accounts.values():
        for asset in sorted(account.margin.owed.keys() - account.margin.recalls.keys()):
            called = state.faults.in_force(FaultKind.LOAN_RECALL, asset, at_ms)
            if called is not None:
                due_ms = at_ms + int(called["grace_s"]) * 1000
                account.margin.recalls[asset] = due_ms
                entry = _note(state, account, "RECALL", asset, account.margin.owed[asset], due_ms)
                state.tell(account, Happening("RECALL", at_ms, Book.SPOT, loan=entry))


def due(state: State, account: Account, at_ms: int) -> list[str]:
    """Assets that the venue buys back itself now: recalled and not back in time, or all at the liquidation level."""
    if not account.margin.owed:
        return []
    assets, owed = worth(state, account, at_ms)
    if assets <= LIQUIDATION_LEVEL * owed:
        return sorted(account.margin.owed)
    return sorted(asset for asset, due_ms in account.margin.recalls.items() if due_ms <= at_ms)


def next_stop_ms(state: State) -> int | None:
    """The next time at which something of a loan falls due; None while nothing is owed."""
    debtors = [account for account in state.accounts.values() if account.margin.owed]
    if not debtors:
        return None
    hour = (state.now_ms // HOUR_MS + 1) * HOUR_MS
    recalled = [ms for account in debtors for ms in account.margin.recalls.values() if ms > state.now_ms]
    return min([hour, *recalled])


def move_collateral(state: State, account: Account, quantity: Decimal, at_ms: int) -> int:
    """Quote currency from the spot wallet into the margin wallet, or out of it (negative). Returns the id.

    Raises VenueError -1102 for nothing, -5013 where the source cannot spare it, -3015 below the level.
    """
    free, asset = account.margin.free, MARGIN_ASSET
    if not quantity:
        raise VenueError(-1102, "Mandatory parameter 'amount' was not sent, was empty/null, or malformed.")
    source = account.amounts(Book.SPOT, asset)[0] if quantity > 0 else free.get(asset, ZERO)
    if abs(quantity) > source:
        raise VenueError(-5013, "Asset transfer failed: insufficient balance")
    assets, owed = worth(state, account, at_ms)
    left = assets + quantity * collateral_ratio(state, asset, at_ms)
    if quantity < 0 and owed and left < WITHDRAWAL_LEVEL * owed:
        raise VenueError(-3015, "The level of the margin account would fall below 2.")
    account.balance(asset).free -= quantity
    free[asset] = free.get(asset, ZERO) + quantity
    entry = _note(state, account, "TRANSFER", asset, quantity, at_ms)
    state.tell_balances(account, "TRANSFER", at_ms)
    return entry.id


def cover(state: State, account: Account, at_ms: int) -> None:
    """The insurance fund pays what a purchase by the venue itself left the wallet short of."""
    short = -account.margin.free.get(MARGIN_ASSET, ZERO)
    if short > 0:
        account.margin.free[MARGIN_ASSET] = ZERO
        _note(state, account, "INSURANCE", MARGIN_ASSET, short, at_ms)


def _note(
    state: State, account: Account, kind: str, asset: str, amount: Decimal, at_ms: int, rate: Decimal | None = None
) -> LoanEntry:
    entry = LoanEntry(state.next_transaction_id(), kind, asset, amount, at_ms, rate)
    account.margin.entries.append(entry)
    state.journal.loans.append((account.api_key, entry))
    return entry
