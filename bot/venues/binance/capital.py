"""Money that the owner moved or was given: deposits, withdrawals, the funding wallet, rebates of futures fees, by
Binance's own record.

A deposit counts when it is credited, a withdrawal when it is asked for (amount and fee leave the balance then); one
that fails later is `returned`. Moves between the account's own wallets are in `income.py`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from bot.domain.instruments import Wallet
from bot.domain.time import DAY_MS
from bot.ports import CapitalBooked, VenueError
from bot.venues.binance.decode import DecodeError, TimeMs
from bot.venues.binance.income import IncomeReader, capital_id
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import convert_list

PAGE = 1_000
PAGES_MAX = 20
WINDOW_MS = 89 * DAY_MS
"""Binance answers for at most 90 days."""
PENDING_MS = 7 * DAY_MS
"""How long before it is credited a deposit may have been entered."""
SPOT_WALLET = 0
DEPOSIT_CREDITED = frozenset({1, 6})
WITHDRAWAL_RETURNED = frozenset({1, 3, 5})
"""Cancelled, rejected, failed."""
FUNDING_ROUTES = (
    ("MAIN_FUNDING", Wallet.SPOT, -1),
    ("FUNDING_MAIN", Wallet.SPOT, 1),
    ("UMFUTURE_FUNDING", Wallet.PERP, -1),
    ("FUNDING_UMFUTURE", Wallet.PERP, 1),
)
LENT_ROUTES = (("MARGIN_FUNDING", Wallet.MARGIN, -1), ("FUNDING_MARGIN", Wallet.MARGIN, 1))
"""With a margin wallet of the account's own."""
FOREIGN_ROUTES = (
    ("MAIN_MARGIN", Wallet.SPOT, -1),
    ("MARGIN_MAIN", Wallet.SPOT, 1),
    ("UMFUTURE_MARGIN", Wallet.PERP, -1),
    ("MARGIN_UMFUTURE", Wallet.PERP, 1),
)
"""Without one: what is in margin is the owner's business."""


class DepositRow(msgspec.Struct):
    id: int | str
    coin: str
    amount: Decimal
    status: int
    inserted_ms: TimeMs = msgspec.field(name="insertTime")
    completed_ms: TimeMs | None = msgspec.field(name="completeTime", default=None)
    wallet: int = msgspec.field(name="walletType", default=SPOT_WALLET)


class WithdrawalRow(msgspec.Struct):
    """`amount` is what was sent; `transactionFee` left the balance with it."""

    id: str
    coin: str
    amount: Decimal
    status: int
    applied: str = msgspec.field(name="applyTime")
    fee: Decimal = msgspec.field(name="transactionFee", default=Decimal(0))
    wallet: int = msgspec.field(name="walletType", default=SPOT_WALLET)


class CapitalReader:
    """Asks little and seldom: the withdrawal history alone weighs a tenth of an account's minute."""

    def __init__(self, rest: BinanceRest, income: IncomeReader) -> None:
        self._rest = rest
        self._income = income

    async def fetch(self, since_ms: int, until_ms: int, *, margin: bool) -> list[CapitalBooked]:
        """What changed the wallets from `since_ms` on, oldest first; `margin` is one of them. Raises VenueError."""
        found = [*await self._deposits(since_ms, until_ms), *await self._withdrawals(since_ms, until_ms)]
        for kind, wallet, sign in (*FUNDING_ROUTES, *(LENT_ROUTES if margin else FOREIGN_ROUTES)):
            for row in await self._income.confirmed(kind, since_ms, until_ms):
                amount = sign * row.amount
                found.append(CapitalBooked(capital_id(kind, row), wallet.value, row.asset, amount, row.at_ms))
        found += await self._income.grants(since_ms)
        return sorted(found, key=lambda one: (one.at_ms, one.venue_id))

    async def _deposits(self, since_ms: int, until_ms: int) -> list[CapitalBooked]:
        rows = await self._rows("sapiGetCapitalDepositHisrec", DepositRow, since_ms - PENDING_MS, until_ms)
        found = []
        for row in rows:
            at_ms = max(row.inserted_ms, row.completed_ms or 0)
            if row.status in DEPOSIT_CREDITED and row.wallet == SPOT_WALLET and at_ms >= since_ms:
                found.append(CapitalBooked(f"deposit:{row.id}", Wallet.SPOT.value, row.coin, row.amount, at_ms))
        return found

    async def _withdrawals(self, since_ms: int, until_ms: int) -> list[CapitalBooked]:
        rows = await self._rows("sapiGetCapitalWithdrawHistory", WithdrawalRow, since_ms - 1_000, until_ms)
        found = []
        for row in rows:
            if row.wallet == SPOT_WALLET:
                amount, at_ms = -(row.amount + row.fee), _utc_ms(row.applied)
                returned = row.status in WITHDRAWAL_RETURNED
                found.append(
                    CapitalBooked(f"withdrawal:{row.id}", Wallet.SPOT.value, row.coin, amount, at_ms, returned)
                )
        return found

    async def _rows(self, endpoint: str, kind: Any, since_ms: int, until_ms: int) -> Sequence[Any]:
        rows: list[Any] = []
        start_ms = max(0, since_ms)
        while start_ms <= until_ms:
            end_ms = min(until_ms, start_ms + WINDOW_MS)
            rows += await self._window(endpoint, kind, start_ms, end_ms)
            start_ms = end_ms + 1
        return rows

    async def _window(self, endpoint: str, kind: Any, start_ms: int, end_ms: int) -> list[Any]:
        rows: list[Any] = []
        for _ in range(PAGES_MAX):
            params = {"startTime": start_ms, "endTime": end_ms, "limit": PAGE, "offset": len(rows)}
            try:
                page = convert_list(await self._rest.data(endpoint, params), kind)
            except DecodeError as error:
                raise VenueError(f"{endpoint}: {error}") from None
            rows += page
            if len(page) < PAGE:
                return rows
        raise VenueError(f"{endpoint}: more than {PAGES_MAX} pages")


def _utc_ms(text: str) -> int:
    """`2026-11-26 08:00:00`, UTC. Raises VenueError."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() * 1_000)
    except ValueError:
        raise VenueError(f"withdraw/history: not a time: {text[:30]!r}") from None
