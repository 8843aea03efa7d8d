"""Between the exchange core's records, in venue units, and the domain's values, in base units."""

from decimal import Decimal

from bot.domain.events import OrderReported
from bot.domain.hedges import LiquidationCharge, Receipt
from bot.domain.instruments import Instrument, Kind, MarginTier, Wallet
from bot.domain.orders import Fill, OrderIntent, OrderState, Side, TimeInForce
from bot.domain.time import nominal_ms
from bot.simulator import model
from bot.simulator.model import Book, Income, Listing, OrderRequest, OrderType, Status, Trade, VenueError

BOOKS = {Kind.SPOT: Book.SPOT, Kind.MARGIN: Book.SPOT, Kind.PERP: Book.PERP}
STATES = {
    Status.NEW: OrderState.LIVE,
    Status.PARTIALLY_FILLED: OrderState.LIVE,
    Status.FILLED: OrderState.FILLED,
    Status.CANCELED: OrderState.CANCELLED,
    Status.EXPIRED: OrderState.CANCELLED,
    Status.REJECTED: OrderState.REJECTED,
}
_FORCES = {
    TimeInForce.IOC: model.TimeInForce.IOC,
    TimeInForce.GTC: model.TimeInForce.GTC,
    TimeInForce.POST_ONLY: model.TimeInForce.POST_ONLY,
}


def rejected(client_id: str, refused: VenueError) -> OrderReported:
    """The report of an order that the exchange core refused."""
    short = refused.code in (-2018, -2019) or (refused.code == -2010 and "insufficient balance" in refused.message)
    return OrderReported(client_id, OrderState.REJECTED, Decimal(0), None, str(refused), short)


def request_of(intent: OrderIntent, listing: Listing, scale: Decimal) -> OrderRequest:
    """The limit order that an intent asks for; `scale` is the instrument's multiplier."""
    return OrderRequest(
        listing.book,
        listing.symbol,
        model.Side.BUY if intent.side is Side.BUY else model.Side.SELL,
        OrderType.LIMIT,
        _FORCES[intent.time_in_force],
        intent.quantity_base / scale,
        intent.limit_price * scale,
        intent.reduce_only,
        intent.client_id,
        margin=intent.instrument.endswith(f":{Kind.MARGIN.value}"),
    )


def fill_of(trade: Trade, instrument: Instrument) -> Fill:
    scale = instrument.multiplier
    return Fill(
        instrument.venue,
        instrument.id,
        str(trade.id),
        trade.client_id,
        str(trade.order_id),
        Side.BUY if trade.side is model.Side.BUY else Side.SELL,
        trade.price / scale,
        trade.quantity * scale,
        trade.fee,
        trade.fee_asset,
        trade.realized_pnl,
        trade.maker,
        trade.at_ms,
    )


def receipt_of(income: Income, instrument: Instrument, account: str) -> Receipt:
    """The receipt of a FUNDING_FEE row."""
    scale = instrument.multiplier
    return Receipt(
        instrument.venue,
        account,
        instrument.id,
        instrument.coin,
        nominal_ms(income.at_ms),
        income.rate,
        None if income.quantity is None else income.quantity * scale,
        None if income.mark is None else income.mark / scale,
        income.amount,
        income.asset,
        str(income.id),
    )


def charge_of(income: Income, venue: str, account: str, instrument: Instrument | None) -> LiquidationCharge:
    """The charge of an INSURANCE_CLEAR row; without an instrument when the row has no symbol."""
    name = None if instrument is None else instrument.id
    wallet = Wallet.PERP.value
    return LiquidationCharge(venue, account, wallet, name, income.asset, income.amount, income.at_ms, str(income.id))


def margin_tiers(listing: Listing) -> tuple[MarginTier, ...]:
    return tuple(
        MarginTier(t.floor_usd, t.cap_usd, t.leverage_max, t.maintenance_rate, t.cumulative_usd)
        for t in listing.tiers
    )


def listing_of(instrument: Instrument, tiers: tuple[model.MarginTier, ...]) -> Listing:
    """A live instrument as the exchange core lists it. Its price band is not known here: none is checked."""
    scale = instrument.multiplier
    return Listing(
        book=BOOKS[instrument.kind],
        symbol=instrument.symbol,
        base_asset=instrument.base_asset,
        quote_asset=instrument.quote_asset,
        coin=instrument.coin,
        multiplier=scale,
        tick=instrument.tick * scale,
        lot=instrument.lot / scale,
        quantity_min=instrument.quantity_min / scale,
        quantity_max=instrument.quantity_max / scale,
        notional_min=instrument.notional_min,
        band_up=Decimal(0),
        band_down=Decimal(0),
        listed_ms=0,
        tiers=tiers,
        ends_ms=instrument.ends_ms,
        trades=instrument.trades,
    )
