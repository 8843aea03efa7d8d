"""Funding receipts, charges of liquidations and transfers between wallets as Binance booked them, complete."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import msgspec

from bot.domain.hedges import LiquidationCharge, Receipt
from bot.domain.instruments import Instrument, Wallet
from bot.domain.time import MINUTE_MS, nominal_ms
from bot.ports import CapitalBooked, TransferBooked, VenueError
from bot.venues.binance.decode import DecodeError, Number, TimeMs
from bot.venues.binance.rates import RateHistory, Settled
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import convert, convert_list
from bot.venues.binance.symbols import SymbolBook, to_base_price, to_base_quantity

PAGE = 1_000
TRANSFER_PAGE = 100
PAGES_MAX = 500
FUNDING_FEE, INSURANCE_CLEAR = "FUNDING_FEE", "INSURANCE_CLEAR"
GRANTS = frozenset(
    {
        "REFERRAL_KICKBACK",
        "COMMISSION_REBATE",
        "API_REBATE",
        "FEE_RETURN",
        "WELCOME_BONUS",
        "CONTEST_REWARD",
        "BFUSD_REWARD",
        "COIN_SWAP_DEPOSIT",
        "COIN_SWAP_WITHDRAW",
    }
)
"""What the venue gives besides trades and funding (of an account that was referred: a part of each fee, within
minutes of it), and both sides of what the owner converts in the futures wallet."""
ROUTES = {
    "MAIN_UMFUTURE": (Wallet.SPOT, Wallet.PERP),
    "UMFUTURE_MAIN": (Wallet.PERP, Wallet.SPOT),
    "MAIN_MARGIN": (Wallet.SPOT, Wallet.MARGIN),
    "MARGIN_MAIN": (Wallet.MARGIN, Wallet.SPOT),
    "UMFUTURE_MARGIN": (Wallet.PERP, Wallet.MARGIN),
    "MARGIN_UMFUTURE": (Wallet.MARGIN, Wallet.PERP),
}
"""Binance's name of a move between two wallets, and both."""
PAYMENT_STEP = Decimal("1E-8")
"""Payments and marks are booked with eight decimals."""

_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)


class IncomeRow(msgspec.Struct):
    """A row of income; `tranId` is unique within one income type of an account, sent as number or text."""

    symbol: str
    """Empty where the venue names none: the fee of a liquidation may come so."""
    income: Decimal
    asset: str
    at_ms: TimeMs = msgspec.field(name="time")
    transaction_id: int | str = msgspec.field(name="tranId")
    kind: str = msgspec.field(name="incomeType", default="")


class TransferRow(msgspec.Struct):
    asset: str
    amount: Decimal
    type: str
    status: str
    transaction_id: int | str = msgspec.field(name="tranId")
    at_ms: TimeMs = msgspec.field(name="timestamp")


class TransferPage(msgspec.Struct):
    """An account without transfers answers {"total": 0} with or without empty rows."""

    total: Number | None = None
    rows: list[TransferRow] | None = None


class IncomeReader:
    """Reads what moved the account's balances besides trades; raises VenueError rather than miss a row."""

    def __init__(self, venue: str, account: str, rest: BinanceRest, rates: RateHistory) -> None:
        self._venue = venue
        self._account = account
        self._rest = rest
        self._rates = rates

    async def receipts(self, since_ms: int, book: SymbolBook) -> list[Receipt]:
        """Funding payments and charges from `since_ms` on, oldest first, joined with the settled rates."""
        rows = await self._rows(FUNDING_FEE, since_ms)
        unsettled = {
            row.symbol
            for row in rows
            if row.symbol in book.perp and self._rates.find(row.symbol, nominal_ms(row.at_ms)) is None
        }
        if unsettled:
            wanted = [book.perp[symbol] for symbol in sorted(unsettled)]
            first_ms = min(row.at_ms for row in rows if row.symbol in unsettled)
            await self._rates.fetch(first_ms - MINUTE_MS, wanted, each=len(wanted) <= 5)
        return [self._receipt(row, book) for row in rows]

    def _receipt(self, row: IncomeRow, book: SymbolBook) -> Receipt:
        instrument = book.perp.get(row.symbol)
        settled_ms = nominal_ms(row.at_ms)
        settled = self._rates.find(row.symbol, settled_ms) if instrument is not None else None
        quantity = mark = None
        if instrument is not None and settled is not None:
            quantity = position_of(row.income, settled, instrument)
            mark = to_base_price(instrument, settled.mark) if settled.mark is not None else None
        return Receipt(
            venue=self._venue,
            account=self._account,
            instrument=instrument.id if instrument is not None else f"{self._venue}:{row.symbol}:perp",
            coin=instrument.coin if instrument is not None else row.symbol,
            settled_ms=settled_ms,
            rate=settled.rate if settled is not None else None,
            quantity_base=quantity,
            mark_price=mark,
            payment=row.income,
            asset=row.asset,
            venue_id=str(row.transaction_id),
        )

    async def charges(self, since_ms: int, book: SymbolBook) -> list[LiquidationCharge]:
        """What liquidations cost beyond their trades, from `since_ms` on, oldest first."""
        return [self._charge(row, book) for row in await self._rows(INSURANCE_CLEAR, since_ms)]

    def _charge(self, row: IncomeRow, book: SymbolBook) -> LiquidationCharge:
        instrument = book.perp.get(row.symbol)
        unlisted = f"{self._venue}:{row.symbol}:perp" if row.symbol else None
        return LiquidationCharge(
            venue=self._venue,
            account=self._account,
            wallet=Wallet.PERP.value,
            instrument=instrument.id if instrument is not None else unlisted,
            asset=row.asset,
            amount=row.income,
            charged_ms=row.at_ms,
            venue_id=str(row.transaction_id),
        )

    async def grants(self, since_ms: int) -> list[CapitalBooked]:
        """What is neither trade, payment, charge nor transfer, from `since_ms` on, oldest first.

        Of all types at once: a question for each of them would weigh more than what trades and funding add.
        """
        return [
            CapitalBooked(
                f"income:{row.kind}:{row.symbol or 'account'}:{row.transaction_id}",
                Wallet.PERP.value,
                row.asset,
                row.income,
                row.at_ms,
            )
            for row in await self._rows(None, since_ms)
            if row.kind in GRANTS
        ]

    async def _rows(self, kind: str | None, since_ms: int) -> list[IncomeRow]:
        """Rows of one type, or of all. Each page starts at the last stamp of the one before; many share a stamp."""
        rows: dict[tuple[str, str, str], IncomeRow] = {}
        start_ms = since_ms
        for _ in range(PAGES_MAX):
            params: dict[str, Any] = {"startTime": start_ms, "limit": PAGE}
            if kind is not None:
                params["incomeType"] = kind
            try:
                page = convert_list(await self._rest.data("fapiPrivateGetIncome", params), IncomeRow)
            except DecodeError as error:
                raise VenueError(f"income: {error}") from None
            before = len(rows)
            rows.update({(row.kind, row.symbol, str(row.transaction_id)): row for row in page})
            if len(page) < PAGE:
                return sorted(rows.values(), key=lambda row: row.at_ms)
            if len(rows) == before:
                raise VenueError("income: more rows at one time than a page holds")
            start_ms = max(row.at_ms for row in page)
        raise VenueError(f"income: more than {PAGES_MAX} pages")

    async def transfers(self, since_ms: int, until_ms: int, *, margin: bool) -> list[TransferBooked]:
        """Confirmed moves between the account's wallets, oldest first; with `margin` it has a margin wallet."""
        booked: dict[str, TransferBooked] = {}
        for kind, (source, target) in ROUTES.items():
            if Wallet.MARGIN in (source, target) and not margin:
                continue
            for row in await self.confirmed(kind, since_ms, until_ms):
                booked[str(row.transaction_id)] = TransferBooked(
                    venue_id=str(row.transaction_id),
                    asset=row.asset,
                    amount=row.amount,
                    source=source.value,
                    target=target.value,
                    at_ms=row.at_ms,
                    capital_id=capital_id(kind, row),
                )
        return sorted(booked.values(), key=lambda t: (t.at_ms, t.venue_id))

    async def confirmed(self, kind: str, since_ms: int, until_ms: int) -> list[TransferRow]:
        """Transfers of one route (Binance's `type`) that happened."""
        return [row for row in await self._transfer_rows(kind, since_ms, until_ms) if row.status == "CONFIRMED"]

    async def _transfer_rows(self, kind: str, since_ms: int, until_ms: int) -> list[TransferRow]:
        rows: list[TransferRow] = []
        for number in range(1, PAGES_MAX + 1):
            params: dict[str, Any] = {
                "type": kind,
                "startTime": since_ms,
                "endTime": until_ms,
                "current": number,
                "size": TRANSFER_PAGE,
            }
            try:
                page = convert(await self._rest.data("sapiGetAssetTransfer", params), TransferPage)
            except DecodeError as error:
                raise VenueError(f"asset/transfer: {error}") from None
            found = page.rows or []
            rows += found
            if len(found) < TRANSFER_PAGE:
                if page.total is not None and len(rows) < page.total:
                    raise VenueError(f"asset/transfer: {len(rows)} of {page.total} rows")
                return rows
        raise VenueError(f"asset/transfer: more than {PAGES_MAX} pages")


def capital_id(kind: str, row: TransferRow) -> str:
    """Names a transfer of this route where one side of it alone is the account's."""
    return f"{kind}:{row.transaction_id}"


def position_of(payment: Decimal, settled: Settled, instrument: Instrument) -> Decimal | None:
    """The signed base quantity that was charged: -payment / (rate x mark), where that is a whole number of lots.

    None when nothing can be concluded: no mark, a rate of 0, a payment that fits no lot, or lots that are so
    small that rounding hides them.
    """
    if settled.mark is None or not settled.rate:
        return None
    lot = _EXACT.divide(instrument.lot, instrument.multiplier)
    per_lot = _EXACT.multiply(_EXACT.multiply(settled.rate, settled.mark), lot)
    if abs(per_lot) < 4 * PAYMENT_STEP:
        return None
    lots = _EXACT.divide(-payment, per_lot).to_integral_value(rounding=ROUND_HALF_EVEN)
    # half a step for the payment's rounding, and half a step of the mark's for each unit of quantity
    tolerance = PAYMENT_STEP + abs(lots * lot * settled.rate) * PAYMENT_STEP
    if abs(_EXACT.multiply(lots, per_lot) + payment) > tolerance:
        return None
    return to_base_quantity(instrument, _EXACT.multiply(lots, lot))
