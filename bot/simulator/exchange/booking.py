"""One fill into balances, position and records. Sums of the records equal the balances to the last digit.

Spot: a buy gives truncated(price x quantity) of quote and receives the quantity less its fee, in the base coin;
a sell gives the quantity and receives truncated(price x quantity) less its fee, in quote.
Perp: the wallet changes by the realised P&L and by the commission, each an income row where it is not zero.
"""

from decimal import Decimal

from bot.simulator.exchange import lending
from bot.simulator.exchange.accounts import MARGIN_ASSET, OPEN_STATUSES, Account, Holding
from bot.simulator.exchange.matching import Fill
from bot.simulator.exchange.money import ZERO, divide, half_even, truncated
from bot.simulator.exchange.state import State
from bot.simulator.model import INSURANCE_CLEAR, Book, Listing, Order, Side, Status, Trade


def book_fill(
    state: State, account: Account, order: Order, fill: Fill, at_ms: int, *, maker: bool, resting: bool
) -> Trade:
    """Books one fill of an order and returns its trade. `resting` orders pay from what they locked."""
    request = order.request
    listing = state.listings[(request.book, request.symbol)]
    rate = account.fees[request.book][0 if maker else 1]
    if request.book is Book.SPOT:
        quote = truncated(fill.price * fill.quantity)
        fee = half_even((fill.quantity if request.side is Side.BUY else quote) * rate)
        fee_asset = listing.base_asset if request.side is Side.BUY else listing.quote_asset
        if request.margin:
            _move_margin(state, account, listing, request.side, fill, quote, fee, at_ms)
        else:
            _move_spot(account, listing, order, fill, quote, fee, resting=resting)
        realized = ZERO
    else:
        quote = half_even(fill.price * fill.quantity)
        fee, fee_asset = half_even(quote * rate), MARGIN_ASSET
        realized = _move_position(account, request.symbol, request.side, fill, at_ms)
    trade = Trade(
        id=state.next_trade_id(request.book, request.symbol),
        order_id=order.id,
        client_id=request.client_id,
        book=request.book,
        symbol=request.symbol,
        side=request.side,
        price=fill.price,
        quantity=fill.quantity,
        fee=fee,
        fee_asset=fee_asset,
        realized_pnl=realized,
        maker=maker,
        at_ms=at_ms,
        quote_quantity=quote,
        margin=request.margin,
        number=state.next_trade_number(),
    )
    if request.book is Book.PERP:
        if realized:
            state.pay_new(account, "REALIZED_PNL", request.symbol, realized, at_ms, trade.id)
        if fee:
            state.pay_new(account, "COMMISSION", request.symbol, -fee, at_ms, trade.id)
        account.check_at_ms = at_ms
    _advance_order(state, account, order, trade)
    return trade


def _advance_order(state: State, account: Account, order: Order, trade: Trade) -> None:
    order.filled += trade.quantity
    order.filled_quote += trade.quote_quantity
    order.trade_ids.append(trade.id)
    order.updated_ms = trade.at_ms
    done = order.filled >= order.request.quantity
    assert order.filled <= order.request.quantity, f"order {order.id} is overfilled"
    order.status = Status.FILLED if done else Status.PARTIALLY_FILLED
    account.trades.setdefault((trade.book, trade.symbol), []).append(trade)
    state.journal.trades.append((account.api_key, trade))
    state.journal.orders[order.id] = (account.api_key, order)


def _move_spot(
    account: Account, listing: Listing, order: Order, fill: Fill, quote: Decimal, fee: Decimal, *, resting: bool
) -> None:
    base_balance = account.balance(listing.base_asset)
    quote_balance = account.balance(listing.quote_asset)
    if order.request.side is Side.BUY:
        if resting:
            locked = locked_for(order, fill.quantity)
            quote_balance.locked -= locked
            quote_balance.free += locked
        quote_balance.free -= quote
        base_balance.free += fill.quantity - fee
    else:
        if resting:
            base_balance.locked -= fill.quantity
        else:
            base_balance.free -= fill.quantity
        quote_balance.free += quote - fee
    assert base_balance.free >= 0, f"{listing.base_asset} below zero"
    assert quote_balance.free >= 0, f"{listing.quote_asset} below zero"


def _move_margin(
    state: State, account: Account, listing: Listing, side: Side, fill: Fill, quote: Decimal, fee: Decimal, at_ms: int
) -> None:
    if side is Side.BUY:
        lending.bought(state, account, listing, fill.quantity - fee, quote, at_ms)
    else:
        lending.sold(state, account, listing, fill.quantity, quote - fee, at_ms)


def locked_for(order: Order, quantity: Decimal) -> Decimal:
    """What `quantity` of a resting spot order keeps locked: quote of a buy, base of a sell."""
    if order.request.side is Side.SELL:
        return quantity
    assert order.request.price is not None, "only limit orders rest"
    return order.request.price * quantity


def _move_position(account: Account, symbol: str, side: Side, fill: Fill, at_ms: int) -> Decimal:
    """Changes the position and returns the realised P&L (USDT, eight decimals).

    Of a partly closed position the entry cost leaves in proportion, rounded to eight decimals, and what is
    left is the rest: over a whole round trip the realised amounts add up to exactly what was paid and got.
    """
    signed = fill.quantity if side is Side.BUY else -fill.quantity
    holding = account.holdings.get(symbol)
    if holding is None:
        account.holdings[symbol] = Holding(symbol, signed, fill.price * fill.quantity, at_ms)
        return ZERO
    holding.updated_ms = at_ms
    if (holding.quantity > 0) == (signed > 0):
        holding.quantity += signed
        holding.cost += fill.price * fill.quantity
        return ZERO
    size = abs(holding.quantity)
    closed = min(size, fill.quantity)
    cost = holding.cost if closed == size else half_even(divide(holding.cost * closed, size))
    proceeds = fill.price * closed
    realized = half_even(proceeds - cost if holding.quantity > 0 else cost - proceeds)
    holding.quantity += signed
    holding.cost -= cost
    if not holding.quantity:
        del account.holdings[symbol]
    elif closed < fill.quantity:
        holding.cost = fill.price * (fill.quantity - closed)
    return realized


def lock_rest(account: Account, listing: Listing, order: Order) -> None:
    """Locks what the unfilled rest of a spot order needs while it rests."""
    amount = locked_for(order, order.request.quantity - order.filled)
    buying = order.request.side is Side.BUY
    balance = account.balance(listing.quote_asset if buying else listing.base_asset)
    balance.free -= amount
    balance.locked += amount
    assert balance.free >= 0, "locked more than there is"


def end_order(state: State, account: Account, order: Order, status: Status, at_ms: int) -> None:
    """Ends an order before it is filled: releases its lock, takes it out of the open ones and tells."""
    request = order.request
    was_open = order.id in account.open
    if was_open and request.book is Book.SPOT:
        listing = state.listings[(request.book, request.symbol)]
        amount = locked_for(order, request.quantity - order.filled)
        buying = request.side is Side.BUY
        balance = account.balance(listing.quote_asset if buying else listing.base_asset)
        balance.locked -= amount
        balance.free += amount
        assert balance.locked >= 0, "released more than was locked"
    order.status = status
    order.updated_ms = at_ms
    if was_open:
        account.close(order)
    state.journal.orders[order.id] = (account.api_key, order)
    state.tell_order(account, order, at_ms)


def cover_bankruptcy(state: State, account: Account, at_ms: int) -> None:
    """The insurance fund pays what a wallet without positions lacks, so that it never stays below zero."""
    if account.perp_wallet < 0 and not account.holdings:
        state.pay_new(account, INSURANCE_CLEAR, "", -account.perp_wallet, at_ms)


def is_open(order: Order) -> bool:
    return order.status in OPEN_STATUSES
