"""Liquidation of the perp wallet: its orders are cancelled, then positions are closed, the worst loss first.

Positions are closed whole, at the mark, with the taker commission and a liquidation fee, until the margin
balance is back at the maintenance margin. What the account then lacks the insurance fund pays. The fee is the
`liquidationFee` that the venue publishes in exchangeInfo (1.25 %), at most what is left.
"""

from decimal import Decimal

from bot.simulator.exchange.accounts import MARGIN_ASSET, Account
from bot.simulator.exchange.booking import book_fill, cover_bankruptcy, end_order
from bot.simulator.exchange.lending import cover as cover_loan
from bot.simulator.exchange.margin import maintenance_of
from bot.simulator.exchange.matching import Fill
from bot.simulator.exchange.money import ZERO, ceil_to_step, divide, half_even
from bot.simulator.exchange.state import State
from bot.simulator.model import (
    INSURANCE_CLEAR,
    Book,
    Order,
    OrderRequest,
    OrderType,
    Side,
    Status,
    TimeInForce,
    Trade,
)

LIQUIDATION_FEE_RATE = Decimal("0.0125")
# (maintenance / margin balance below, multiples of the state's `look_ms` until the next look)
_LOOKS = ((Decimal("0.1"), 15), (Decimal("0.3"), 5))


def next_check_ms(state: State, account: Account) -> int:
    """The latest time up to which a jump may go before the margin is looked at."""
    return max(account.check_at_ms, state.now_ms + state.look_ms)


def health(state: State, account: Account, at_ms: int) -> tuple[Decimal, Decimal]:
    """(margin balance, maintenance margin) in USD."""
    unrealized = maintenance = ZERO
    for symbol, holding in account.holdings.items():
        mark = state.mark(symbol, at_ms)
        unrealized += holding.unrealized(mark)
        maintenance += maintenance_of(state.listings[(Book.PERP, symbol)], abs(holding.quantity * mark))
    return account.perp_wallet + unrealized, maintenance


def check_account(state: State, account: Account, at_ms: int) -> None:
    """Liquidates where needed and sets when to look next: the nearer to maintenance, the sooner."""
    balance, maintenance = health(state, account, at_ms)
    if balance < maintenance:
        _liquidate(state, account, at_ms)
        balance, maintenance = health(state, account, at_ms)
    pause_ms = next(
        (looks * state.look_ms for share, looks in _LOOKS if maintenance < balance * share), state.look_ms
    )
    # On full looks: markets know the prices there, between them they have to work them out.
    account.check_at_ms = max(at_ms + state.look_ms, (at_ms + pause_ms) // state.look_ms * state.look_ms)


def _liquidate(state: State, account: Account, at_ms: int) -> None:
    for order in [o for o in account.open.values() if o.request.book is Book.PERP]:
        end_order(state, account, order, Status.CANCELED, at_ms)
    while account.holdings:
        balance, maintenance = health(state, account, at_ms)
        if balance >= maintenance:
            break
        losses = [(h.unrealized(state.mark(s, at_ms)), s) for s, h in account.holdings.items()]
        _close(state, account, min(losses)[1], at_ms)
    cover_bankruptcy(state, account, at_ms)
    state.tell_balances(account, INSURANCE_CLEAR, at_ms)


def _close(state: State, account: Account, symbol: str, at_ms: int) -> None:
    trade = close_at_mark(state, account, symbol, at_ms, "autoclose-")
    balance, _ = health(state, account, at_ms)
    fee = min(
        half_even(trade.quantity * trade.price * LIQUIDATION_FEE_RATE), max(ZERO, min(account.perp_wallet, balance))
    )
    fee = half_even(fee)
    if fee:
        state.pay_new(account, INSURANCE_CLEAR, symbol, -fee, at_ms, trade.id)


def close_at_mark(state: State, account: Account, symbol: str, at_ms: int, client_id: str) -> Trade:
    """The venue closes a whole position at the mark, with the taker commission. An id that ends in a dash gets the
    order's number."""
    holding, mark, order_id = account.holdings[symbol], state.mark(symbol, at_ms), state.next_order_id()
    quantity = abs(holding.quantity)
    request = OrderRequest(
        book=Book.PERP,
        symbol=symbol,
        side=Side.SELL if holding.quantity > 0 else Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        quantity=quantity,
        price=mark,
        reduce_only=True,
        client_id=f"{client_id}{order_id}" if client_id.endswith("-") else client_id,
    )
    order = Order(order_id, request, Status.NEW, at_ms, at_ms)
    state.tell_order(account, order, at_ms, kind="LIQUIDATION")
    trade = book_fill(state, account, order, Fill(mark, quantity), at_ms, maker=False, resting=False)
    account.remember(order)
    state.tell_order(account, order, at_ms, trade, kind="LIQUIDATION")
    return trade


def buy_back(state: State, account: Account, asset: str, at_ms: int) -> None:
    """A loan that must be back: the venue buys all that is owed, fee included, at the ask, whatever it costs.

    The wallet pays what it has; what it lacks the insurance fund pays.
    """
    symbol = asset + MARGIN_ASSET
    listing = state.listings[(Book.SPOT, symbol)]
    ask = state.market.top(Book.SPOT, symbol, at_ms).ask
    gross = divide(account.margin.owed[asset], 1 - account.fees[Book.SPOT][1])
    quantity = ceil_to_step(gross, listing.lot)
    order_id = state.next_order_id()
    request = OrderRequest(
        Book.SPOT,
        symbol,
        Side.BUY,
        OrderType.LIMIT,
        TimeInForce.IOC,
        quantity,
        ask,
        reduce_only=False,
        client_id=f"autoclose-{order_id}",
        margin=True,
    )
    order = Order(order_id, request, Status.NEW, at_ms, at_ms)
    state.tell_order(account, order, at_ms, kind="LIQUIDATION")
    trade = book_fill(state, account, order, Fill(ask, quantity), at_ms, maker=False, resting=False)
    account.remember(order)
    cover_loan(state, account, at_ms)
    state.tell_order(account, order, at_ms, trade, kind="LIQUIDATION")
