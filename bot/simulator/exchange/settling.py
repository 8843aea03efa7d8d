"""Time passes: funding is settled, resting orders are matched, accounts below maintenance are liquidated.

One jump of any length is cut at every settlement, at the points where an account's margin is due to be looked
at, and, while orders rest, in steps of at least a second and at most 64 a jump. At one point in time the order
is: funding, resting orders, loans, markets that end, liquidation.
"""

from decimal import Decimal

from bot.simulator.exchange import lending
from bot.simulator.exchange.accounts import Account
from bot.simulator.exchange.booking import book_fill, cover_bankruptcy, end_order
from bot.simulator.exchange.ending import end_markets, first_end_ms
from bot.simulator.exchange.liquidation import buy_back, check_account, next_check_ms
from bot.simulator.exchange.matching import Fill, Taking, crossed
from bot.simulator.exchange.money import ZERO, half_even
from bot.simulator.exchange.state import State
from bot.simulator.model import Book, Happening, Income, Order, Settlement, Side, Status

FUNDING_FEE = "FUNDING_FEE"
_RESTING_STEP_MS = 1_000
_RESTING_STEPS_MAX = 64


def settle(state: State, to_ms: int) -> None:
    """Moves `now_ms` to `to_ms`; what happens is added to `state.happenings`."""
    step_ms = max(_RESTING_STEP_MS, -(-(to_ms - state.now_ms) // _RESTING_STEPS_MAX))
    end_ms = first_end_ms(state)  # time alone makes nobody a holder elsewhere
    while state.now_ms < to_ms:
        holding = any(account.holdings for account in state.accounts.values())
        resting = any(account.open for account in state.accounts.values())
        loan_ms = lending.next_stop_ms(state)
        if not holding and not resting and loan_ms is None:
            state.now_ms = to_ms
            return
        stop_ms = min(to_ms, state.now_ms + step_ms) if resting else to_ms
        if loan_ms is not None:
            stop_ms = min(stop_ms, loan_ms)
        if end_ms is not None and end_ms > state.now_ms:
            stop_ms = min(stop_ms, end_ms)
        if holding:
            settlement = state.next_settlement(stop_ms)
            if settlement is not None:
                stop_ms = settlement.at_ms
            for account in state.accounts.values():
                if account.holdings:
                    stop_ms = min(stop_ms, next_check_ms(state, account))
        state.now_ms = stop_ms
        if holding:
            for settlement in state.settlements_at(stop_ms):
                pay_funding(state, settlement)
        if resting:
            match_resting(state, stop_ms)
        if loan_ms is not None:
            settle_loans(state, stop_ms)
        if end_ms is not None and end_ms <= stop_ms:
            end_markets(state, stop_ms)
            end_ms = first_end_ms(state)
        for account in state.accounts.values():
            if account.holdings and account.check_at_ms <= stop_ms:
                check_account(state, account, stop_ms)


def settle_loans(state: State, at_ms: int) -> None:
    """Interest at full hours, recalls, and what the venue buys back itself."""
    if at_ms % lending.HOUR_MS == 0:
        lending.charge(state, at_ms)
    lending.recall(state, at_ms)
    for account in state.accounts.values():
        for asset in lending.due(state, account, at_ms):
            buy_back(state, account, asset, at_ms)


def pay_funding(state: State, settlement: Settlement) -> None:
    """Pays -(quantity x mark x rate) to every holder; an amount that rounds to zero leaves no row."""
    for account in state.accounts.values():
        holding = account.holdings.get(settlement.symbol)
        if holding is not None:
            _pay(state, account, settlement, holding.quantity)


def pay_late(state: State, settlement: Settlement) -> None:
    """Pays a settlement that became known after its time, on what was held then; once, however often it is told."""
    for account in state.accounts.values():
        key = settlement.symbol, settlement.at_ms
        if not any(i.kind == FUNDING_FEE and (i.symbol, i.at_ms) == key for i in account.incomes):
            quantity = quantity_at(account, settlement.symbol, settlement.at_ms)
            if quantity:
                _pay(state, account, settlement, quantity)


def quantity_at(account: Account, symbol: str, at_ms: int) -> Decimal:
    """The position at a past time: what is held now less what was traded since."""
    since = (t for t in account.trades.get((Book.PERP, symbol), ()) if t.at_ms > at_ms)
    return account.position_quantity(symbol) - sum(
        (t.quantity if t.side is Side.BUY else -t.quantity for t in since), ZERO
    )


def _pay(state: State, account: Account, settlement: Settlement, quantity: Decimal) -> None:
    payment = half_even(-(quantity * settlement.mark * settlement.rate))
    if not payment:
        return
    income = Income(
        id=state.next_transaction_id(),
        kind=FUNDING_FEE,
        symbol=settlement.symbol,
        asset="USDT",
        amount=payment,
        at_ms=settlement.at_ms,
        rate=settlement.rate,
        mark=settlement.mark,
        quantity=quantity,
    )
    state.pay(account, income)
    account.check_at_ms = settlement.at_ms
    state.tell(account, Happening("FUNDING", settlement.at_ms, Book.PERP, income=income))
    state.tell_balances(account, "FUNDING_FEE", settlement.at_ms)


def match_resting(state: State, at_ms: int) -> None:
    """Fills resting orders that the market crosses, oldest first, at their own price and the maker fee."""
    waiting = [(order.id, account, order) for account in state.accounts.values() for order in account.open.values()]
    waiting.sort(key=lambda entry: entry[0])
    for _, account, order in waiting:
        if _match_one(state, account, order, at_ms):
            cover_bankruptcy(state, account, at_ms)
            state.tell_balances(account, "ORDER", at_ms)


def _match_one(state: State, account: Account, order: Order, at_ms: int) -> bool:
    """Whether anything changed."""
    request = order.request
    wanted = request.quantity - order.filled
    if request.reduce_only:
        position = account.position_quantity(request.symbol)
        facing = position < 0 if request.side is Side.BUY else position > 0
        wanted = min(wanted, abs(position)) if facing else ZERO
        if wanted <= 0:
            end_order(state, account, order, Status.EXPIRED, at_ms)
            return True
    assert request.price is not None, "only limit orders rest"
    lot = state.listings[(request.book, request.symbol)].lot
    taking = Taking(request.book, request.symbol, request.side, wanted, request.price, lot)
    quantity = crossed(state.market, state.consumption, taking, at_ms)
    if quantity <= 0:
        return False
    fill = Fill(request.price, quantity)
    trade = book_fill(state, account, order, fill, at_ms, maker=True, resting=True)
    state.consumption.add(request.book, request.symbol, request.side, at_ms, quantity)
    if order.status is Status.FILLED:
        account.close(order)
    state.tell_order(account, order, at_ms, trade)
    return True
