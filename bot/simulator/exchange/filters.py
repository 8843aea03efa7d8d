"""The venue's checks of an order's own numbers, in its order and with its codes and words.

Spot: https://developers.binance.com/docs/binance-spot-api-docs/errors (filter failures are -1013).
USD-M: https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code (each has its code).
`band_up` and `band_down` of a listing are the multipliers that the venue publishes (1.05 and 0.95); zero
switches the check off. The reference price is the mark on USD-M, and on spot, where the venue takes an
average of five minutes, the middle of the book.
"""

from decimal import Decimal

from bot.simulator.exchange.money import ceil_to_step, decimals, is_multiple, text, to_step
from bot.simulator.model import Listing, OrderRequest, OrderType, Side, Top, VenueError

_SPOT_DECIMALS = 8


def _spot_failure(name: str) -> VenueError:
    return VenueError(-1013, f"Filter failure: {name}")


def check_spot(listing: Listing, request: OrderRequest, top: Top) -> None:
    """Raises VenueError -1013, -1111 or -1106 for what the spot book refuses."""
    quantity, price = request.quantity, request.price
    if request.reduce_only:
        raise VenueError(-1106, "Parameter 'reduceOnly' sent when not required.")
    if quantity <= 0:
        raise VenueError(-1013, "Invalid quantity.")
    if decimals(quantity) > _SPOT_DECIMALS:
        raise VenueError(-1111, "Parameter 'quantity' has too much precision.")
    middle = (top.bid + top.ask) / 2
    if request.type is OrderType.LIMIT:
        _check_spot_price(listing, request, middle)
    if not listing.quantity_min <= quantity <= listing.quantity_max or not is_multiple(quantity, listing.lot):
        raise _spot_failure("LOT_SIZE")
    valued_at = middle if request.type is OrderType.MARKET or price is None else price
    if quantity * valued_at < listing.notional_min:
        raise _spot_failure("NOTIONAL")


def _check_spot_price(listing: Listing, request: OrderRequest, middle: Decimal) -> None:
    price = request.price
    if price is None:
        raise VenueError(-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
    if price <= 0:
        raise VenueError(-1013, "Invalid price.")
    if decimals(price) > _SPOT_DECIMALS:
        raise VenueError(-1111, "Parameter 'price' has too much precision.")
    if not is_multiple(price, listing.tick):
        raise _spot_failure("PRICE_FILTER")
    above = listing.band_up > 0 and price > middle * listing.band_up
    if above or (listing.band_down > 0 and price < middle * listing.band_down):
        raise _spot_failure("PERCENT_PRICE_BY_SIDE")


def _precision(step: Decimal) -> int:
    """The published precision: the decimals of the step as it is written, 0.10 has two."""
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def check_perp(listing: Listing, request: OrderRequest, mark: Decimal, top: Top) -> None:
    """Raises VenueError with the USD-M code for what the perp book refuses."""
    quantity, price = request.quantity, request.price
    if quantity <= 0:
        raise VenueError(-4003, "Quantity less than or equal to zero.")
    if decimals(quantity) > _precision(listing.lot):
        raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
    if request.type is OrderType.LIMIT:
        _check_perp_price(listing, request, mark)
    if quantity < listing.quantity_min:
        raise VenueError(-4004, "Quantity less than min quantity.")
    if quantity > listing.quantity_max:
        raise VenueError(-4005, "Quantity greater than max quantity.")
    if not is_multiple(quantity, listing.lot):
        raise VenueError(-4023, "Qty not increased by step size.")
    if request.type is OrderType.MARKET:
        _check_best_price(listing, request.side, mark, top)
    valued_at = mark if price is None or request.type is OrderType.MARKET else price
    if not request.reduce_only and quantity * valued_at < listing.notional_min:
        floor = text(listing.notional_min)
        raise VenueError(-4164, f"Order's notional must be no smaller than {floor} (unless you choose reduce only).")


def _check_perp_price(listing: Listing, request: OrderRequest, mark: Decimal) -> None:
    price = request.price
    if price is None:
        raise VenueError(-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
    if price <= 0:
        raise VenueError(-4001, "Price less than 0.")
    if decimals(price) > _precision(listing.tick):
        raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
    if not is_multiple(price, listing.tick):
        raise VenueError(-4014, "Price not increased by tick size.")
    # The venue bounds a side only where it could hurt: buys from above, sells from below.
    if request.side is Side.BUY and listing.band_up > 0:
        cap = to_step(mark * listing.band_up, listing.tick)
        if price > cap:
            raise VenueError(-4016, f"Limit price can't be higher than {text(cap)}.")
    elif request.side is Side.SELL and listing.band_down > 0:
        floor = ceil_to_step(mark * listing.band_down, listing.tick)
        if price < floor:
            raise VenueError(-4024, f"Limit price can't be lower than {text(floor)}.")


def _check_best_price(listing: Listing, side: Side, mark: Decimal, top: Top) -> None:
    limit = market_limit(listing, side, mark)
    if limit is None:
        return
    if (top.ask > limit) if side is Side.BUY else (top.bid < limit):
        raise VenueError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")


def market_limit(listing: Listing, side: Side, mark: Decimal) -> Decimal | None:
    """The worst price at which a perp market order may fill; None without a band."""
    if side is Side.BUY:
        return mark * listing.band_up if listing.band_up > 0 else None
    return mark * listing.band_down if listing.band_down > 0 else None
