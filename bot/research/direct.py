"""The simulated exchange's pure core as a venue without a wire: listings, market facts and orders in base units.

What the Binance adapter does over HTTP and websockets, done by direct calls, for sessions in virtual time.
"""

from collections.abc import Iterator
from decimal import Decimal

from bot.domain.events import (
    AccountReported,
    Event,
    FundingReceived,
    LiquidationCharged,
    OrderFilled,
    OrderReported,
    TransferFailed,
    TransferSettled,
    VenueListed,
)
from bot.domain.hedges import LiquidationCharge, Receipt, TransferIntent
from bot.domain.instruments import FeeRates, Instrument, Kind, Payoff, Wallet, instrument_id
from bot.domain.market import BorrowTerms, Liquidity, Mark, Quote, SettledRate
from bot.domain.orders import Fill, OrderIntent
from bot.domain.time import nominal_ms
from bot.simulator.base_units import STATES, charge_of, fill_of, margin_tiers, receipt_of, rejected, request_of
from bot.simulator.exchange.core import Exchange
from bot.simulator.loans import Loans, spots_of
from bot.simulator.model import (
    Book,
    Income,
    Listing,
    Market,
    Trade,
    VenueError,
)

VENUE = "binance"
KEY = "demo-key"
DEPTH_LEVELS = 20
DEPTH_REACH = Decimal("0.001")
_KINDS = {Book.SPOT: Kind.SPOT, Book.PERP: Kind.PERP}


class DirectVenue:
    """One account at the exchange core. Everything it returns is what the wire would have delivered.

    With `lends` it has a margin account too, and coins can be borrowed.
    """

    def __init__(self, market: Market, exchange: Exchange, *, lends: bool = False) -> None:
        self.market = market
        self.exchange = exchange
        self._by_id: dict[str, tuple[Listing, Instrument]] = {}
        paired = {s for b, s in market.listings if b is Book.SPOT}
        for (book, _symbol), listing in market.listings.items():
            if book is Book.PERP and listing.coin + listing.quote_asset not in paired:
                continue
            instrument = _instrument(listing)
            self._by_id[instrument.id] = listing, instrument
        self._id_of = {(listing.book, listing.symbol): name for name, (listing, _) in self._by_id.items()}
        self.loans: Loans | None = None
        if lends:
            self.loans = Loans(exchange, KEY, VENUE, spots_of({name: one for name, (_, one) in self._by_id.items()}))
        self._twins = {one.symbol: one for one in (self.loans.twins.values() if self.loans is not None else ())}

    def listing(self) -> VenueListed:
        fees, tiers = {}, {}
        for name, (listing, _) in self._by_id.items():
            maker, taker = self.exchange.fee_rates(KEY, listing.book, listing.symbol)
            fees[name] = FeeRates(maker, taker)
            tiers[name] = margin_tiers(listing)
        twins = tuple(self._twins.values())
        fees |= {twin.id: fees[self._id_of[Book.SPOT, twin.symbol]] for twin in twins}
        return VenueListed(VENUE, (*(instrument for _, instrument in self._by_id.values()), *twins), fees, tiers)

    def terms(self, at_ms: int) -> Iterator[BorrowTerms]:
        """What can be borrowed now, and at which rate."""
        if self.loans is not None:
            yield from self.loans.terms(at_ms)

    def rates(self, after_ms: int, until_ms: int) -> Iterator[SettledRate]:
        for one in self.market.settlements(after_ms, until_ms):
            name = self._id_of.get((Book.PERP, one.symbol))
            if name is not None:
                yield SettledRate(name, nominal_ms(one.at_ms), one.rate, one.interval_s)

    def frames(self, at_ms: int) -> Iterator[Event]:
        """Every quote and mark of this moment."""
        for name, (listing, instrument) in self._by_id.items():
            top, scale = self.market.top(listing.book, listing.symbol, at_ms), instrument.multiplier
            yield Quote(name, top.bid / scale, top.ask / scale, top.bid_size * scale, top.ask_size * scale, at_ms)
            if listing.book is Book.PERP:
                mark = self.market.mark(listing.symbol, at_ms)
                yield Mark(
                    name, mark.mark / scale, mark.index / scale, mark.predicted_rate, mark.next_funding_ms, at_ms
                )

    def liquidity(self, at_ms: int) -> Iterator[Liquidity]:
        for name, (listing, _) in self._by_id.items():
            bids, asks = self.market.depth(listing.book, listing.symbol, at_ms, DEPTH_LEVELS)
            mid = (bids[0].price + asks[0].price) / 2
            reach = mid * DEPTH_REACH
            sides = [
                sum(level.price * level.size for level in side if abs(level.price - mid) <= reach)
                for side in (bids, asks)
            ]
            stats = self.market.day_stats(listing.book, listing.symbol, at_ms)
            held = None
            if listing.book is Book.PERP:
                held = float(self.market.open_interest(listing.symbol, at_ms) * mid)
            yield Liquidity(name, float(stats.volume_quote), float(min(sides)), held)

    def advance(self, to_ms: int) -> list[Event]:
        """Let the exchange's time pass; the receipts and liquidations that fell due, with their charges."""
        events: list[Event] = []
        for _, happening in self.exchange.advance(to_ms):
            if happening.income is not None and happening.income.kind == "FUNDING_FEE":
                events.append(FundingReceived(self._receipt(happening.income)))
            elif happening.income is not None and happening.kind == "CHARGE":
                events.append(LiquidationCharged(self._charge(happening.income)))
            elif happening.trade is not None:
                events.append(OrderFilled(self._fill(happening.trade)))
            elif self.loans is not None and (told := self.loans.event_of(happening)) is not None:
                events.append(told)
        return events

    def place(self, intents: tuple[OrderIntent, ...], at_ms: int) -> list[Event]:
        events: list[Event] = []
        for intent in intents:
            listing, instrument = self._traded(intent.instrument)
            request = request_of(intent, listing, instrument.multiplier)
            try:
                order, trades, told = self.exchange.place(KEY, request, at_ms)
            except VenueError as refused:
                events.append(rejected(intent.client_id, refused))
                continue
            events += [OrderFilled(self._fill(trade)) for trade in trades]
            events += [
                LiquidationCharged(self._charge(one.income))
                for one in told
                if one.income is not None and one.kind == "CHARGE"
            ]
            filled = order.filled * instrument.multiplier
            events.append(OrderReported(intent.client_id, STATES[order.status], filled, str(order.id)))
        return events

    def _traded(self, name: str) -> tuple[Listing, Instrument]:
        """Margin spot trades on the spot's listing."""
        known = self._by_id.get(name)
        if known is not None:
            return known
        twin = next(one for one in self._twins.values() if one.id == name)
        return self._by_id[self._id_of[Book.SPOT, twin.symbol]][0], twin

    def transfer(self, intent: TransferIntent, at_ms: int) -> Event:
        try:
            if self.loans is not None and Wallet.MARGIN in (intent.source, intent.target):
                return TransferSettled(intent.id, str(self.loans.move(intent, at_ms)))
            number, _ = self.exchange.transfer(
                KEY, intent.asset, intent.amount, Book(intent.source), Book(intent.target), at_ms
            )
        except VenueError as refused:
            return TransferFailed(intent.id, str(refused))
        return TransferSettled(intent.id, str(number))

    def account(self) -> AccountReported:
        balances = {
            book.value: {asset: free + locked for asset, (free, locked) in self.exchange.wallet(KEY, book).items()}
            for book in Book
        }
        if self.loans is not None:
            balances[Wallet.MARGIN.value] = self.loans.balances()
        positions = {}
        for position in self.exchange.positions(KEY):
            name = self._id_of[Book.PERP, position.symbol]
            positions[name] = position.quantity * self._by_id[name][1].multiplier
        return AccountReported(VENUE, balances, positions, complete=True)

    def _receipt(self, income: Income) -> Receipt:
        return receipt_of(income, self._by_id[self._id_of[Book.PERP, income.symbol]][1], "main")

    def _charge(self, income: Income) -> LiquidationCharge:
        known = self._by_id.get(self._id_of.get((Book.PERP, income.symbol), ""))
        return charge_of(income, VENUE, "main", None if known is None else known[1])

    def _fill(self, trade: Trade) -> Fill:
        if trade.margin:
            return fill_of(trade, self._twins[trade.symbol])
        return fill_of(trade, self._by_id[self._id_of[trade.book, trade.symbol]][1])


def _instrument(listing: Listing) -> Instrument:
    kind, scale = _KINDS[listing.book], listing.multiplier
    return Instrument(
        id=instrument_id(VENUE, listing.symbol, kind),
        venue=VENUE,
        symbol=listing.symbol,
        coin=listing.coin,
        kind=kind,
        payoff=Payoff.LINEAR,
        wallet=Wallet.SPOT if kind is Kind.SPOT else Wallet.PERP,
        base_asset=listing.coin if kind is Kind.PERP else listing.base_asset,
        quote_asset=listing.quote_asset,
        settle_asset=listing.quote_asset,
        tick=listing.tick / scale,
        lot=listing.lot * scale,
        quantity_min=listing.quantity_min * scale,
        quantity_max=listing.quantity_max * scale,
        notional_min=listing.notional_min,
        multiplier=scale,
        fee_in_base=kind is Kind.SPOT,
        listed_ms=listing.listed_ms,
    )
