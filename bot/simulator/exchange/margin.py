"""Cross margin of the perp wallet, one-way mode, one margin asset (USDT). All amounts in USD.

Initial margin of a symbol: the larger of |position + open buys| and |position - open sells|, in notional,
divided by its leverage; reduce-only orders do not count. The position is valued at the mark, orders at their
price. Maintenance margin: notional x rate - cumulative of the bracket that the notional falls in.
"""

from decimal import Decimal

from bot.domain.struct import struct
from bot.simulator.exchange.accounts import Account
from bot.simulator.exchange.interface import PositionRisk
from bot.simulator.exchange.money import ZERO, average_price, divide, half_even, plain, to_step
from bot.simulator.exchange.state import State
from bot.simulator.model import Book, Listing, MarginTier, OrderRequest, Side, VenueError

# Where a listing brings no brackets: one bracket of 1 % and leverage up to 20.
_FALLBACK_TIER = MarginTier(ZERO, Decimal(10) ** 15, 20, Decimal("0.01"), ZERO)


def tier_of(listing: Listing, notional: Decimal) -> MarginTier:
    """The bracket whose (floor, cap] holds the notional; the last one above all caps."""
    if not listing.tiers:
        return _FALLBACK_TIER
    for tier in listing.tiers:
        if notional <= tier.cap_usd:
            return tier
    return listing.tiers[-1]


def maintenance_of(listing: Listing, notional: Decimal) -> Decimal:
    tier = tier_of(listing, notional)
    return notional * tier.maintenance_rate - tier.cumulative_usd


def notional_max(listing: Listing, leverage: int) -> Decimal:
    """The largest position at this leverage (USD)."""
    caps = [t.cap_usd for t in listing.tiers or (_FALLBACK_TIER,) if t.leverage_max >= leverage]
    return max(caps, default=ZERO)


@struct(frozen=True, slots=True)
class Valuation:
    """The perp wallet at one time; `initial` is of positions alone, `required` counts open orders too."""

    wallet: Decimal
    unrealized: Decimal
    initial: Decimal
    required: Decimal
    maintenance: Decimal

    @property
    def margin_balance(self) -> Decimal:
        return self.wallet + self.unrealized

    @property
    def available(self) -> Decimal:
        return max(ZERO, self.margin_balance - self.required)

    @property
    def withdrawable(self) -> Decimal:
        """Unrealised profit cannot leave."""
        return max(ZERO, min(self.wallet, self.margin_balance) - self.required)


def open_notionals(account: Account, symbol: str) -> tuple[Decimal, Decimal]:
    """(buys, sells) still open in a perp symbol at their prices, without reduce-only ones (USD)."""
    buys = sells = ZERO
    for order in account.open.values():
        request = order.request
        if request.book is Book.PERP and request.symbol == symbol and not request.reduce_only:
            worth = (request.quantity - order.filled) * (request.price or ZERO)
            if request.side is Side.BUY:
                buys += worth
            else:
                sells += worth
    return buys, sells


def exposure(position: Decimal, buys: Decimal, sells: Decimal) -> Decimal:
    return max(abs(position + buys), abs(position - sells))


def value(state: State, account: Account, at_ms: int) -> Valuation:
    unrealized = initial = required = maintenance = ZERO
    symbols = account.holdings.keys() | {
        o.request.symbol for o in account.open.values() if o.request.book is Book.PERP
    }
    # Sorted: the order of a set of texts differs from process to process.
    for symbol in sorted(symbols):
        mark = state.mark(symbol, at_ms)
        holding = account.holdings.get(symbol)
        position = ZERO
        leverage = account.leverage(symbol)
        if holding is not None:
            position = holding.quantity * mark
            unrealized += holding.unrealized(mark)
            maintenance += maintenance_of(state.listings[(Book.PERP, symbol)], abs(position))
            initial += half_even(divide(abs(position), Decimal(leverage)))
        if account.open:
            worst = exposure(position, *open_notionals(account, symbol))
            required += half_even(divide(worst, Decimal(leverage)))
        else:
            required += half_even(divide(abs(position), Decimal(leverage)))
    return Valuation(account.perp_wallet, unrealized, initial, required, maintenance)


def check_margin(
    state: State, account: Account, request: OrderRequest, price: Decimal, mark: Decimal, at_ms: int
) -> None:
    """Raises VenueError -2019 where margin and fee of a perp order are not covered, -2027 past the bracket.

    `price` is what the order is valued at. What reduces the exposure of its symbol is always covered.
    """
    symbol = request.symbol
    listing = state.listings[(Book.PERP, symbol)]
    position = account.position_quantity(symbol) * mark
    buys, sells = open_notionals(account, symbol)
    before = exposure(position, buys, sells)
    worth = request.quantity * price
    buying = request.side is Side.BUY
    after = exposure(position, buys + worth, sells) if buying else exposure(position, buys, sells + worth)
    if after <= before:
        return
    leverage = account.leverage(symbol)
    if after > notional_max(listing, leverage):
        raise VenueError(-2027, "Exceeded the maximum allowable position at current leverage.")
    fee = worth * account.fees[Book.PERP][1]
    loss = max(ZERO, (price - mark) if buying else (mark - price)) * request.quantity
    needed = half_even(divide(after - before, Decimal(leverage))) + fee + loss
    if needed > value(state, account, at_ms).available:
        raise VenueError(-2019, "Margin is insufficient.")


def position_risk(state: State, account: Account, at_ms: int) -> list[PositionRisk]:
    valuation = value(state, account, at_ms)
    surplus = valuation.margin_balance - valuation.maintenance
    risks = []
    for symbol, holding in sorted(account.holdings.items()):
        listing = state.listings[(Book.PERP, symbol)]
        mark = state.mark(symbol, at_ms)
        notional = holding.quantity * mark
        leverage = account.leverage(symbol)
        risks.append(
            PositionRisk(
                symbol=symbol,
                quantity=holding.quantity,
                entry_price=average_price(holding.cost, abs(holding.quantity)),
                mark_price=mark,
                notional_usd=half_even(notional),
                unrealized_usd=half_even(holding.unrealized(mark)),
                initial_usd=half_even(divide(abs(notional), Decimal(leverage))),
                maintenance_usd=half_even(maintenance_of(listing, abs(notional))),
                liquidation_price=_liquidation_price(listing, holding.quantity, mark, surplus),
                leverage=leverage,
                updated_ms=holding.updated_ms,
            )
        )
    return risks


def _liquidation_price(listing: Listing, quantity: Decimal, mark: Decimal, surplus: Decimal) -> Decimal | None:
    """The mark at which the account's surplus over maintenance is used up by this symbol alone.

    Within one bracket of rate r the surplus changes by quantity - |quantity| x r per unit of price; the
    bracket is that of the present notional, as the venue's own figure does for small moves.
    """
    rate = tier_of(listing, abs(quantity) * mark).maintenance_rate
    price = mark - divide(surplus, quantity - abs(quantity) * rate)
    return plain(to_step(price, listing.tick)) if price > 0 else None
