"""What the daemon wrote down: every committed row is held against the venue's records and what was sent."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, Side, Status
from tests.campaign.market import COINS

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.store import Rows
    from tests.campaign.world import World

from tests.campaign.owed import Owed
from tests.campaign.truth import MARGIN, Sent, book_of

CAP_SLACK = Decimal("1.01")
CAP_SLACK_USD = Decimal(15)
FEE = Decimal("0.002")
"""More than any fee that is paid in coins."""
NEARLY, PAYMENT_STEP = Decimal("0.000001"), Decimal("0.00000001")
_INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)")
TAKEN = "autoclose-"
ENDED = {"filled", "cancelled", "rejected", "never_sent"}
NO_ORDER = {"state": None}
OPENING = {"open", "complete"}
READ = {"order_intents", "orders", "fills", "receipts", "control", "transfers", "transfer_outcomes", "coin_states"}
READ |= {"ledger_entries", "ledger_transactions"}
"""Tables whose rows are looked at as they are committed."""


class Written(Owed):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.sent: dict[str, Sent] = {}
        self.intents: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.fills: dict[tuple[str, str], dict[str, Any]] = {}
        self.receipts: set[tuple[str, int, Decimal, str]] = set()
        self.receipt_rows = 0
        self.ledger: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.control = ""
        self.epoch = 0
        self.removed: dict[tuple[str, int], bool] = {}
        """(coin, direction) that the books keep out, by rule or by hand."""
        self.states: dict[tuple[str, int], Mapping[str, Any]] = {}
        """(coin, direction) -> what the books last said of its funding days."""
        self.caps: list[Decimal] = [world.plan.per_coin_cap]
        self.ceilings: list[Decimal] = [world.plan.ceiling]
        """Those in force, and those that the owner has asked for and that may be in force already."""
        self.moving: set[str] = set()
        """Transfers of margin without an outcome."""
        self._commits = 0
        self._under_way: set[str] = set()

    def committed(self, life: "Life", rows: "Rows") -> None:
        entries: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        intended: list[dict[str, Any]] = []
        removals: dict[tuple[str, int], bool] = {}
        self._commits += 1
        for sql, values in rows:
            table, columns = columns_of(sql)
            if table not in READ:
                continue
            row = dict(zip(columns, values, strict=True))
            match table:
                case "order_intents":
                    self.intents[str(row["client_id"])] = row
                    name = str(row["client_id"])
                    self.check(13, name.startswith(f"cb{self.epoch}-"), f"{name} is committed in epoch {self.epoch}")
                    row["commit"], row["committed_s"], row["control"] = self._commits, self._now_s, self.control
                    self.stands(row)
                    intended.append(row)
                case "orders":
                    self._order_row(row)
                case "fills":
                    self._fill_row(row)
                case "receipts":
                    self._receipt_row(row)
                case "ledger_entries":
                    amount = Decimal(row["amount"])
                    entries[row["number"]][row["asset"]] += amount
                    self.ledger[row["account"], row["asset"]] += amount
                case "transfers":
                    self.moving.add(str(row["id"]))
                case "transfer_outcomes":
                    self.moving.discard(str(row["transfer_id"]))
                case "control":
                    self.control = str(row["control"])
                case "ledger_transactions" if row["kind"] == "interest":
                    self.interest_row(row)
                case "coin_states":
                    key = str(row["coin"]), int(row["direction"])
                    self.states[key], removals[key] = row, bool(row["removed"])
        # What ends in its own commit never leaves: the database had refused it.
        intended = [row for row in intended if self.orders.get(str(row["client_id"]), NO_ORDER)["state"] not in ENDED]
        for row in intended:
            self._intended(row)
        opening = [row for row in intended if row["purpose"] in OPENING]
        if opening:
            if self.world.disk.catching_up():
                for row in opening:
                    row["unheard"] = True  # judged should it leave
            else:
                self._within_limits(opening)
            self._allowed_now(opening)
            for row in opening:
                coin, direction = self._coin(row["instrument"]), self.directions[str(row["hedge_id"])]
                if row["purpose"] == "open":
                    self.perp_direction[coin] = direction
                    removed = self.removed.get((coin, direction)) and removals.get((coin, direction), True)
                    self.check(12, not removed, f"{coin} is opened although it was removed")
                    if str(row["instrument"]).endswith(MARGIN):
                        self.borrowed_within_reason(row, coin)
        self.removed.update(removals)
        for number, sums in entries.items():
            self.check(7, not any(sums.values()), f"transaction {number} does not balance: {dict(sums)}")

    def _order_row(self, row: dict[str, Any]) -> None:
        name, before = str(row["client_id"]), self.orders.get(str(row["client_id"]))
        filled, state = Decimal(row["filled_base"]), row["state"]
        self.orders[name] = row
        if before is not None:
            self.check(15, filled >= Decimal(before["filled_base"]), f"{name}: filled falls to {filled}")
            self.check(15, Decimal(row["fills_base"]) >= Decimal(before["fills_base"]), f"{name}: fills fall")
            lives_again = before["state"] in ENDED and state not in ENDED
            self.check(5, not lives_again, f"{name}: {before['state']} is {state} again")
        intent = self.intents.get(name)
        if intent is not None:
            self.check(4, filled <= Decimal(intent["quantity_base"]), f"{name}: filled more than ordered")
        sent = self.sent.get(name)
        order = None if sent is None else self._venue_order(sent)
        scale = 1 if sent is None else self._scale(sent)
        if state in ("rejected", "never_sent"):
            living = order is not None and (order.filled > 0 or order.status is Status.NEW)
            self.check(5, not living, f"{name} counts as {state} but the venue has it: {order}")
            coming = sent is not None and name in self._under_way
            self.check(5, not coming, f"{name} counts as {state} while it is under way")
        elif state in ("filled", "cancelled"):
            self.check(5, order is not None, f"{name} counts as {state} but the venue has no such order")
        if order is not None:
            self.check(15, filled <= order.filled * scale, f"{name}: filled {filled}, at the venue {order.filled}")
        elif filled:
            self.violation(5, f"{name}: filled {filled} of an order that the venue does not have")
        if order is not None and state in ("filled", "cancelled") and row["settled"]:
            same = filled == order.filled * scale
            self.check(4, same, f"{name}: settled with {filled}, the venue filled {order.filled * scale}")

    def _fill_row(self, row: dict[str, Any]) -> None:
        key = str(row["instrument"]), str(row["trade_id"])
        self.check(8, key not in self.fills, f"trade {key} is booked twice")
        self.fills[key] = row
        trade = self._trade(*key)
        if trade is None:
            self.violation(8, f"a fill that the venue does not have: {key}")
            return
        scale = self._scale_of(trade.symbol, trade.book)
        same = (
            Decimal(row["quantity_base"]) == trade.quantity * scale
            and Decimal(row["fee"]) == trade.fee
            and row["fee_asset"] == trade.fee_asset
            and row["side"] == trade.side.value.lower()
            and Decimal(row["realized_pnl"]) == trade.realized_pnl
        )
        self.check(8, same, f"fill {key} is not the venue's: {row} {trade}")

    def _receipt_row(self, row: dict[str, Any]) -> None:
        self.receipt_rows += 1
        key = (str(row["instrument"]), int(row["settled_ms"]), Decimal(row["payment"]), str(row["asset"]))
        self.receipts.add(key)
        self.check(9, key in self._income(), f"a receipt that the venue does not have: {key}")
        self.check(9, self._of_its_settlement(row), f"a receipt that is not of its settlement: {row}")

    def _of_its_settlement(self, row: Mapping[str, Any]) -> bool:
        """Whether rate, mark and quantity, in coins, are those that were paid for; what is not known is not said."""
        symbol, at_ms = str(row["instrument"]).split(":")[1], int(row["settled_ms"])
        settled = next((one for one in self.world.market.settlements(at_ms - 1, at_ms) if one.symbol == symbol), None)
        if settled is None:
            return False
        rate, mark = settled.rate, settled.mark / self._scale_of(symbol, Book.PERP)
        told = [(row["rate"], rate), (row["mark_price"], mark)]
        same = all(said is None or abs(Decimal(said) / right - 1) < NEARLY for said, right in told if right)
        if row["quantity_base"] is None:
            return same
        paid = -Decimal(row["quantity_base"]) * mark * rate
        return same and abs(paid - Decimal(row["payment"])) <= PAYMENT_STEP + abs(paid) * NEARLY

    def _intended(self, intent: dict[str, Any]) -> None:
        raise NotImplementedError

    def _allowed_now(self, opening: Sequence[Mapping[str, Any]]) -> None:
        raise NotImplementedError

    def _within_limits(self, opening: Sequence[Mapping[str, Any]]) -> None:
        """10: what is held, and everything that may still fill, at the prices that the daemon was told.

        Marks and quotes come through different connections: where one of them is behind, either may be gone by. What
        the account is worth is judged by marks and indices, which come together for both legs.
        """
        nav = self.nav()
        beyond = self._beyond_limits(opening, nav)
        if beyond:
            self.by_quotes = True
            beyond = self._beyond_limits(opening, nav)
            self.by_quotes = False
        self.check(10, not beyond, "; ".join(beyond))

    def _taken_untold(self, coin: str) -> Decimal:
        """Coins that the venue traded to end a loan, as long as nobody was told: no stream tells of it."""
        symbol = self.world.market.coins[coin].spot.symbol
        taken = [
            one
            for one in self._account().trades.get((Book.SPOT, symbol), ())
            if one.margin
            and one.client_id.startswith(TAKEN)
            and (f"binance:{symbol}:{MARGIN}", str(one.id)) not in self.fills
        ]
        return sum((one.quantity if one.side is Side.BUY else -one.quantity for one in taken), Decimal(0))

    def _beyond_limits(self, opening: Sequence[Mapping[str, Any]], nav: Decimal) -> list[str]:
        coming = self._coming()
        worst: dict[str, Decimal] = {}
        for coin in COINS:
            spot, perp = self.held(coin)
            if self.by_quotes:
                spot -= self._taken_untold(coin)
            side = max(spot + coming[coin, "spot"], -perp + coming[coin, "perp"])
            if self.world.plan.lent:
                side = max(side, -spot + coming[coin, MARGIN], perp + coming[coin, "long"])
            crumb = min(self._gap(coin))  # of a hedge that is closed: what is below the venue's least order is dust
            worst[coin] = (side - crumb) * self._price(coin)
        names = ", ".join(str(row["client_id"]) for row in opening)
        found = []
        for coin in {self._coin(row["instrument"]) for row in opening}:
            if self._only_fills_up(coin, coming):
                worst[coin] = Decimal(0)
                continue
            cap = self.cap_of(coin) * nav * CAP_SLACK + CAP_SLACK_USD
            if worst[coin] > cap:
                why = f"held {self.held(coin)}, coming {dict(coming)}, price {self._price(coin)}, NAV {nav:.0f}"
                found.append(f"{names}: {coin} may reach {worst[coin]:.0f}, cap {cap:.0f} ({why})")
        ceiling = max(self.ceilings) * nav * CAP_SLACK + CAP_SLACK_USD
        total = sum(worst.values())
        if total > ceiling:
            found.append(f"{names}: the book may reach {total:.0f} of {ceiling:.0f}")
        return found

    def _only_fills_up(self, coin: str, coming: Mapping[tuple[str, str], Decimal]) -> bool:
        """Whether coins come up to a short of which too little is naked to be bought back: its side stays."""
        spot, perp = self.held(coin)
        listed, naked = self.world.market.coins[coin], -perp - spot
        room = listed.spot.lot + naked * FEE
        stuck = 0 < naked < listed.perp.quantity_min * listed.multiplier
        return stuck and not coming[coin, "perp"] and coming[coin, "spot"] <= naked + room

    def cap_of(self, coin: str, among: Callable[[list[Decimal]], Decimal] = max) -> Decimal:
        """A share of NAV: of those in force, or that may be, the largest (or least); or the coin's own."""
        own = self.world.plan.override
        return own[1] if own is not None and own[0] == coin else among(self.caps)

    def _coming(self) -> dict[tuple[str, str], Decimal]:
        """What opening orders that are not at the venue yet may still bring, by coin and book."""
        coming: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for name, intent in self.intents.items():
            row = self.orders.get(name)
            ended = row is not None and row["state"] in ENDED
            if ended or not self.opens(intent):
                continue
            sent = self.sent.get(name)
            waits = sent is None and name.startswith(f"cb{self.epoch}-")
            if waits or name in self._under_way:
                book = str(intent["instrument"]).rsplit(":", 1)[1]
                book = "long" if book == "perp" and intent["side"] == "buy" else book
                coming[self._coin(intent["instrument"]), book] += Decimal(intent["quantity_base"])
        return coming

    def _coin(self, instrument: str) -> str:
        _, symbol, kind = instrument.split(":")
        return self.world.market.by_symbol[book_of(kind), symbol].name


_parsed: dict[str, tuple[str, list[str]]] = {}


def columns_of(sql: str) -> tuple[str, list[str]]:
    found = _parsed.get(sql)
    if found is None:
        match = _INSERT.match(sql)
        assert match is not None, sql
        found = _parsed[sql] = match.group(1), [name.strip(' "') for name in match.group(2).split(",")]
    return found
