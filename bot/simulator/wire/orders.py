"""What both books need to read an order request and to name an order."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from bot.simulator.model import (
    Book,
    Level,
    Listing,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
    VenueError,
)
from bot.simulator.wire.auth import missing
from bot.simulator.wire.params import Params
from bot.simulator.wire.shapes import ratio
from bot.simulator.wire.venue import Simulation

SPOT_CLIENT_ID_RANGE = "^[a-zA-Z0-9-_]{1,36}$"
FUTURES_CLIENT_ID_RANGE = "^[\\.A-Z\\:/a-z0-9_-]{1,36}$"
WALK_LEVELS = 1_000


def read_side(params: Params) -> Side:
    return params.choice("side", Side, -1117, "Invalid side.")


def order_reference(params: Params) -> tuple[int | None, str | None]:
    """`orderId` and `origClientOrderId`; one must be there. Raises VenueError -1102."""
    order_id, client_id = params.integer("orderId"), params.text("origClientOrderId")
    if order_id is None and client_id is None:
        raise VenueError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return order_id, client_id


def refuse(params: Params, *names: str) -> None:
    for name in names:
        if params.text(name) is not None:
            raise VenueError(-1106, f"Parameter '{name}' sent when not required.")


def read_spot_order(sim: Simulation, params: Params) -> OrderRequest:
    """A spot order of the types LIMIT, LIMIT_MAKER and MARKET. Raises VenueError."""
    listing = sim.listing(Book.SPOT, params.symbol_text() or params.need("symbol"))
    side = read_side(params)
    kind = params.need("type")
    client_id = params.matching("newClientOrderId", SPOT_CLIENT_ID_RANGE) or ""
    price: Decimal | None = None
    if kind == "LIMIT":
        force = params.choice("timeInForce", TimeInForce, -1115, "Invalid timeInForce.")
        if force is TimeInForce.POST_ONLY:
            raise VenueError(-1115, "Invalid timeInForce.")
        quantity, price = params.need_decimal("quantity"), params.need_decimal("price")
    elif kind == "LIMIT_MAKER":
        refuse(params, "timeInForce")
        force = TimeInForce.POST_ONLY
        quantity, price = params.need_decimal("quantity"), params.need_decimal("price")
    elif kind == "MARKET":
        refuse(params, "timeInForce", "price")
        force = TimeInForce.GTC
        quantity = _market_quantity(sim, listing, side, params)
    else:
        raise VenueError(-1116, "Invalid orderType.")
    return OrderRequest(
        book=Book.SPOT,
        symbol=listing.symbol,
        side=side,
        type=OrderType.MARKET if kind == "MARKET" else OrderType.LIMIT,
        time_in_force=force,
        quantity=quantity,
        price=price,
        reduce_only=False,
        client_id=client_id,
    )


def read_futures_order(sim: Simulation, params: Params) -> OrderRequest:
    """A one-way-mode USD-M order of the types LIMIT and MARKET. Raises VenueError."""
    listing = sim.listing(Book.PERP, params.symbol_text() or params.need("symbol"))
    side = read_side(params)
    kind = params.choice("type", OrderType, -1116, "Invalid orderType.")
    client_id = params.matching("newClientOrderId", FUTURES_CLIENT_ID_RANGE) or ""
    if params.text("positionSide") not in {None, "BOTH"}:
        raise VenueError(-4061, "Order's position side does not match user's setting.")
    if params.boolean("closePosition"):
        raise VenueError(-4136, "Target strategy invalid for orderType MARKET,closePosition true")
    price: Decimal | None = None
    force = TimeInForce.GTC
    if kind is OrderType.LIMIT:
        force = params.choice("timeInForce", TimeInForce, -1115, "Invalid timeInForce.")
        price = params.need_decimal("price")
    else:
        refuse(params, "timeInForce", "price")
    return OrderRequest(
        book=Book.PERP,
        symbol=listing.symbol,
        side=side,
        type=kind,
        time_in_force=force,
        quantity=params.need_decimal("quantity"),
        price=price,
        reduce_only=params.boolean("reduceOnly"),
        client_id=client_id,
    )


def _market_quantity(sim: Simulation, listing: Listing, side: Side, params: Params) -> Decimal:
    quantity, quote = params.decimal("quantity"), params.decimal("quoteOrderQty")
    if quantity is not None and quote is not None:
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    if quantity is not None:
        return quantity
    if quote is None:
        raise missing("quantity")
    bids, asks = sim.market.depth(Book.SPOT, listing.symbol, sim.now_ms, WALK_LEVELS)
    return affordable(asks if side is Side.BUY else bids, quote, listing.lot)


def affordable(levels: Sequence[Level], quote: Decimal, lot: Decimal) -> Decimal:
    """The largest whole number of lots whose cost against `levels` is at most `quote`."""
    left, quantity = quote, Decimal(0)
    for level in levels:
        cost = level.price * level.size
        if cost <= left:
            left -= cost
            quantity += level.size
            continue
        quantity += ratio(left, level.price)
        break
    return ratio(quantity, lot).to_integral_value(rounding=ROUND_DOWN) * lot


def average_price(filled_quote: Decimal, filled: Decimal) -> Decimal:
    return ratio(filled_quote, filled)


def cancel_id(order_id: int, wanted: str | None) -> str:
    """The client id of a cancellation: the client's, or one of our own."""
    return wanted or f"cancel-{order_id}"
