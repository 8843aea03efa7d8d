"""A small venue written by hand, for what the shell does with any venue: one coin, exact books, scripted trouble.

Orders fill at once at their limit price; perp fills move no money but the fee. Whatever a test wants to go wrong
is a plain attribute. The simulated exchange is the real thing and is used wherever market behaviour matters.
"""

import asyncio
from collections.abc import Iterable, Sequence
from decimal import Decimal

from bot.domain import events as ev
from bot.domain.hedges import LiquidationCharge, Receipt, TransferIntent
from bot.domain.instruments import FeeRates, Instrument, Kind, MarginTier, Payoff, Wallet
from bot.domain.market import Liquidity, Mark, Quote, SettledRate
from bot.domain.orders import Fill, OrderIntent, OrderState, Side
from bot.domain.time import DAY_MS, HOUR_MS
from bot.ports import CapitalBooked, Deliver, KeyRights, TransferBooked, VenueError, VenueHistory

START_MS = 1_730_419_200_000
SPOT, PERP = "toy:BTCUSDT:spot", "toy:BTCUSDT:perp"


def instrument(kind: Kind) -> Instrument:
    return Instrument(
        id=SPOT if kind is Kind.SPOT else PERP,
        venue="toy",
        symbol="BTCUSDT",
        coin="BTC",
        kind=kind,
        payoff=Payoff.LINEAR,
        wallet=Wallet.SPOT if kind is Kind.SPOT else Wallet.PERP,
        base_asset="BTC",
        quote_asset="USDT",
        settle_asset="USDT",
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(1000),
        notional_min=Decimal(5),
        fee_in_base=kind is Kind.SPOT,
        funding_interval_s=8 * 3600,
        listed_ms=START_MS - 900 * DAY_MS,
    )


def quote(name: str, price: int = 50_000) -> Quote:
    return Quote(name, Decimal(price) - 1, Decimal(price) + 1, Decimal(5), Decimal(5), START_MS)


class QuietVenue:
    """`ports.Venue`."""

    name = "toy"
    lender = None

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.balances: dict[str, dict[str, Decimal]] = {
            "spot": {"USDT": Decimal(100_000)},
            "perp": {"USDT": Decimal(100_000)},
        }
        self.positions: dict[str, Decimal] = {}
        self.fills: list[Fill] = []
        self.receipts: list[Receipt] = []
        self.transfers: list[TransferBooked] = []
        self.charges: list[LiquidationCharge] = []
        self.capital: list[CapitalBooked] = []
        self.open_orders: list[tuple[str, str, str]] = []
        self.placed: list[OrderIntent] = []
        self.asked: list[str] = []
        self.kept: frozenset[str] = frozenset()
        self.down = False
        self.failing: set[str] = set()
        """Questions that are not answered once."""
        self.alive = True
        self.connected = asyncio.Event()

    def _answer(self, question: str) -> None:
        self.asked.append(question)
        if self.down or question in self.failing:
            self.failing.discard(question)
            raise VenueError(f"toy does not answer {question}")

    def keep_listed(self, instruments: Iterable[str]) -> None:
        self.kept = frozenset(instruments)

    async def connect(self) -> None:
        self._answer("connect")
        self.connected.set()

    async def close(self) -> None:
        self.asked.append("close")

    def market_ms(self) -> int:
        return self.now_ms

    async def run(self, deliver: Deliver) -> None:
        while True:
            if self.alive:
                deliver(ev.FeedAlive("toy:spot"))
                deliver(ev.FeedAlive("toy:perp"))
                deliver(quote(SPOT))
                deliver(quote(PERP))
                next_ms = (self.now_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS
                deliver(Mark(PERP, Decimal(50_000), Decimal(50_000), Decimal("0.0003"), next_ms, self.now_ms))
            await asyncio.sleep(0.02)

    async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None:
        self.placed += intents
        for intent in intents:
            fill = self.fill(intent)
            deliver(ev.OrderFilled(fill))
            deliver(ev.OrderReported(intent.client_id, OrderState.FILLED, intent.quantity_base, fill.venue_order_id))

    def fill(self, intent: OrderIntent) -> Fill:
        """Book the whole order at its limit price."""
        number = len(self.fills) + 1
        spot = intent.instrument == SPOT
        quantity, price = intent.quantity_base, intent.limit_price
        in_base = spot and intent.side is Side.BUY
        fee = quantity * Decimal("0.001") if in_base else quantity * price * Decimal("0.0005")
        fill = Fill(
            "toy",
            intent.instrument,
            str(number),
            intent.client_id,
            f"v{number}",
            intent.side,
            price,
            quantity,
            fee,
            "BTC" if in_base else "USDT",
            Decimal(0),
            maker=False,
            traded_ms=self.now_ms,
        )
        self.fills.append(fill)
        wallet = self.balances["spot" if spot else "perp"]
        wallet[fill.fee_asset] = wallet.get(fill.fee_asset, Decimal(0)) - fee
        if spot:
            wallet["BTC"] = wallet.get("BTC", Decimal(0)) + intent.side.sign * quantity
            wallet["USDT"] -= intent.side.sign * quantity * price
        else:
            held = self.positions.get(PERP, Decimal(0)) + intent.side.sign * quantity
            self.positions[PERP] = held
        return fill

    def pay(self, amount: str, number: int) -> Receipt:
        """Funding of the perpetual, booked by the venue now."""
        receipt = Receipt(
            "toy",
            "main",
            PERP,
            "BTC",
            self.now_ms,
            Decimal("0.0001"),
            None,
            None,
            Decimal(amount),
            "USDT",
            str(number),
        )
        self.receipts.append(receipt)
        self.balances["perp"]["USDT"] += receipt.payment
        return receipt

    async def cancel(self, client_id: str, instrument: str, deliver: Deliver) -> None:
        deliver(ev.OrderReported(client_id, OrderState.CANCELLED, Decimal(0)))

    async def query(
        self, client_id: str, instrument: str, venue_order_id: str | None, since_ms: int, deliver: Deliver
    ) -> None:
        self._answer("query")
        for fill in self.fills:
            if fill.client_id == client_id:
                deliver(ev.OrderFilled(fill))
                deliver(ev.OrderReported(client_id, OrderState.FILLED, fill.quantity_base, fill.venue_order_id))
                return
        deliver(ev.OrderNotFound(client_id, 2))

    async def transfer(self, intent: TransferIntent, deliver: Deliver) -> None:
        self.balances[intent.source]["USDT"] -= intent.amount
        self.balances[intent.target]["USDT"] += intent.amount
        number = f"m{len(self.transfers) + 1}"
        self.transfers.append(
            TransferBooked(number, intent.asset, intent.amount, intent.source, intent.target, self.now_ms)
        )
        deliver(ev.TransferSettled(intent.id, number))

    async def fetch_listing(self) -> ev.VenueListed:
        self._answer("listing")
        fees = {SPOT: FeeRates(Decimal("0.001"), Decimal("0.001")), PERP: FeeRates(Decimal(0), Decimal("0.0005"))}
        tiers = {PERP: (MarginTier(Decimal(0), Decimal(10**9), 50, Decimal("0.01"), Decimal(0)),)}
        return ev.VenueListed("toy", (instrument(Kind.SPOT), instrument(Kind.PERP)), fees, tiers)

    async def fetch_rates(self, since_ms: int, instruments: Sequence[str] | None = None) -> Sequence[SettledRate]:
        self._answer("rates")
        step = 8 * HOUR_MS
        first = max(since_ms, self.now_ms - 35 * DAY_MS) // step * step + step
        return [SettledRate(PERP, at, Decimal("0.0003"), 8 * 3600) for at in range(first, self.now_ms + 1, step)]

    async def fetch_liquidity(self, instruments: Sequence[str]) -> Sequence[Liquidity]:
        self._answer("liquidity")
        return [Liquidity(name, 1e9, 1e7, 1e9) for name in instruments]

    async def fetch_account(self) -> ev.AccountReported:
        self._answer("account")
        balances = {wallet: dict(assets) for wallet, assets in self.balances.items()}
        return ev.AccountReported("toy", balances, dict(self.positions), complete=False)

    async def fetch_receipts(self, since_ms: int) -> Sequence[Receipt]:
        self._answer("receipts")
        return [receipt for receipt in self.receipts if receipt.settled_ms >= since_ms]

    async def fetch_history(self, since_ms: int, instruments: Sequence[str]) -> VenueHistory:
        self._answer("history")
        fills = tuple(f for f in self.fills if f.traded_ms >= since_ms and f.instrument in instruments)
        receipts = tuple(r for r in self.receipts if r.settled_ms >= since_ms)
        transfers = tuple(t for t in self.transfers if t.at_ms >= since_ms)
        charges = tuple(c for c in self.charges if c.charged_ms >= since_ms)
        return VenueHistory(fills, receipts, transfers, self.now_ms, charges)

    async def fetch_capital(self, since_ms: int) -> Sequence[CapitalBooked]:
        self._answer("capital")
        return [one for one in self.capital if one.at_ms >= since_ms]

    async def fetch_open_orders(self) -> Sequence[tuple[str, str, str]]:
        self._answer("open orders")
        return list(self.open_orders)

    async def key_rights(self) -> KeyRights:
        return KeyRights(True, True, True, False, True)
