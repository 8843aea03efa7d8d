"""Judges a run from the exchange's own records and from the rows in the database; shares no code with the daemon.

It keeps its own books: of orders sent (from the requests), of what the daemon was told (from the answers and frames)
and of what the daemon wrote down (from the committed rows). Numbers of violations are those of the invariants in
the specification; 0 is a defect of the run itself.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, Mark, Side, Status
from tests.campaign.clockwork import WALL_BEGAN_S
from tests.campaign.faults import ACCOUNT, ORDER, QUERY, TRADES
from tests.campaign.market import COINS

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.store import Rows
    from tests.campaign.wire import Answer
    from tests.campaign.world import World

ZERO = Decimal(0)
KEY = "demo-key"
CANARY = b"canary5e1d0c77nowhere"
STALE_S = 5.0
SETTLE_WINDOW_S = 2.0
CAP_SLACK = Decimal("1.01")
CAP_SLACK_USD = Decimal(15)
NAKED_S = 45.0
"""How long something may stay unhedged while nothing is being done to the daemon: its longest pause and some more."""
PRESSED_S = 0.3
"""An order that was admitted a moment before the weight was told may still be on its way."""
QUEUE_MAX = 5_000
TASKS_MAX = 250
GAPS_EVERY_S = 0.9
MINUTE_MS = 60_000
_INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)")
_ENDED = {"filled", "cancelled", "rejected", "never_sent"}
_OPENING = {"open", "complete"}


@dataclass(slots=True)
class Sent:
    """An order that left the daemon."""

    client_id: str
    epoch: int
    hedge: str
    book: Book
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    sent_s: float
    arrived: bool = False
    told: bool = False
    """The daemon was told what became of it."""


class Oracle:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.violations: list[tuple[int, str]] = []
        self.checked: Counter[int] = Counter()
        self.said_names: Counter[str] = Counter()
        self.purposes: Counter[str] = Counter()
        self.sent: dict[str, Sent] = {}
        self.flying: dict[str, Sent] = {}
        """Orders that may still arrive, or of whose end the daemon was not told."""
        self.intents: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.fills: dict[tuple[str, str], dict[str, Any]] = {}
        self.receipts: set[tuple[str, int, Decimal, str]] = set()
        self.receipt_rows = 0
        self.ledger: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.control = ""
        self.epoch = 0
        self.marks: dict[str, Mark] = {}
        self.marked_s: dict[str, float] = {}
        self.alive_s: dict[str, float] = {}
        self.lost_s = -1.0
        self.account_s: dict[str, float] = {}
        self.blocked: dict[tuple[int, str], float] = {}
        self.halted_s: float | None = None
        self.caps: list[Decimal] = [world.plan.per_coin_cap]
        self.naked_s: dict[str, float] = {}
        self.last_order_s = -1e9
        self._pressed_s: dict[str, tuple[float, int]] = {}
        self._commits = 0
        self._under_way: set[str] = set()
        self._looked_s = self._gaps_s = 0.0
        self._worst = ZERO

    def violation(self, number: int, text: str) -> None:
        self.violations.append((number, text))
        self.world.note(f"VIOLATION {number}: {text}")

    def check(self, number: int, holds: bool, text: str) -> None:
        self.checked[number] += 1
        if not holds:
            self.violation(number, text)

    @property
    def _now_s(self) -> float:
        return self.world.loop.now_s

    # -- what the daemon asks and is told -------------------------------------------------------------------

    def asked(self, life: "Life", api: str, category: str, method: str, path: str, params: Mapping[str, Any]) -> None:
        self.check(
            19,
            self._now_s >= self.blocked.get((life.number, api), 0.0),
            f"{method} {path} within a Retry-After of {api}",
        )
        if method == "DELETE":
            name = str(params.get("origClientOrderId", ""))
            self.check(13, name.startswith("cb"), f"cancels an order that is not ours: {name}")
        if category == ORDER:
            self._order_leaves(life, api, path, params)

    def leaves(self, category: str, params: Mapping[str, Any], path: str) -> Sent | None:
        """A request is on its way to the venue: the order that it is of, if it is of one."""
        del path
        if category != ORDER:
            return None
        name = str(params["newClientOrderId"])
        self._under_way.add(name)
        return self.sent.get(name)

    def _order_leaves(self, life: "Life", api: str, path: str, params: Mapping[str, Any]) -> None:
        name = str(params["newClientOrderId"])
        self.last_order_s = self._now_s
        book = Book.PERP if path.startswith("/fapi") else Book.SPOT
        self.check(4, name not in self.sent, f"{name} is sent twice")
        intent = self.intents.get(name)
        self.check(3, intent is not None, f"{name} has no committed intent")
        self.check(13, name.startswith(f"cb{self.epoch}-"), f"{name} is sent in epoch {self.epoch}")
        parts = name.removeprefix("cb").split("-")
        if intent is None or len(parts) != 3:
            return
        sent = Sent(
            name,
            int(parts[0]),
            parts[1],
            book,
            str(params["symbol"]),
            str(params["side"]),
            Decimal(str(params["quantity"])),
            Decimal(str(params["price"])),
            self._now_s,
        )
        self.purposes[intent["purpose"]] += 1
        self.sent[name] = self.flying[name] = sent
        self._as_intended(sent, intent)
        reduces = (book is Book.PERP) == (sent.side == "BUY")
        if reduces:
            only = book is Book.SPOT or str(params.get("reduceOnly")) == "true"
            self.check(11, only, f"{name} buys the perpetual back without reduceOnly")
            self.check(11, intent["purpose"] not in _OPENING or book is Book.SPOT, f"{name} closes as an opening")
        else:
            self._may_open(life, api, sent)

    def _as_intended(self, sent: Sent, intent: Mapping[str, Any]) -> None:
        coin = self.world.market.by_symbol[sent.book, sent.symbol]
        scale = coin.multiplier if sent.book is Book.PERP else 1
        same = (
            Decimal(intent["quantity_base"]) == sent.quantity * scale
            and abs(Decimal(intent["limit_price"]) * scale - sent.price) * 1000 <= sent.price
            and intent["side"] == sent.side.lower()
        )
        self.check(3, same, f"{sent.client_id} is not what was committed: {intent} {sent}")

    def _may_open(self, life: "Life", api: str, sent: Sent) -> None:
        now_s, name = self._now_s, sent.client_id
        for other in self.sent.values() if len(self.sent) < 40 else self.flying.values():
            earlier = self._commit_of(other.client_id) < self._commit_of(name)
            if other.hedge == sent.hedge and earlier:
                self.check(6, self._known(other), f"{name} opens while {other.client_id} is unknown")
        fresh = min(self.account_s.get("/api/v3/account", -2.0), self.account_s.get("/fapi/v3/account", -2.0))
        self.check(6, fresh > self.lost_s or now_s - self.lost_s < 0.05, f"{name} opens before the account was read")
        for feed in ("spot", "perp"):
            age_s = now_s - self.alive_s.get(feed, -1e9)
            self.check(16, age_s <= STALE_S + 0.1, f"{name} opens on a {feed} feed that is {age_s:.1f} s old")
        coin = self.world.market.by_symbol[sent.book, sent.symbol]
        age_s = now_s - self.marked_s.get(coin.perp.symbol, -1e9)
        self.check(16, age_s <= STALE_S + 0.1, f"{name} opens on a mark that is {age_s:.1f} s old")
        if self.halted_s is not None:
            self.check(12, now_s <= self.halted_s + 1e-6, f"{name} opens while halted by the owner")
        self.check(12, self.control in ("", "running"), f"{name} opens while the books say {self.control}")
        pressed_s, minute = self._pressed_s.get(api, (1e18, -1))
        pressed = pressed_s < now_s - PRESSED_S and minute == self._minute()
        self.check(19, not pressed, f"{name} opens with the weight that closing orders need")

    def _minute(self) -> int:
        """The minute in which the daemon's machine believes to be: used weight is of one minute."""
        loop = self.world.loop
        return int((WALL_BEGAN_S + loop.now_s + loop.wall_offset_s) // 60)

    def _commit_of(self, name: str) -> int:
        found = self.intents.get(name)
        return 0 if found is None else int(found["commit"])

    def _known(self, other: Sent) -> bool:
        if other.told:
            return True
        if not other.arrived and other.client_id in self.flying:
            gone = self._now_s - other.sent_s >= SETTLE_WINDOW_S
            return gone and self._venue_order(other) is None and not self._may_arrive(other)
        return self._venue_order(other) is None

    def _may_arrive(self, sent: Sent) -> bool:
        return sent.client_id in self._under_way

    def arrived(self, sent: Sent | None) -> None:
        if sent is not None:
            sent.arrived = True
            self._under_way.discard(sent.client_id)
            self._positions()

    def told(
        self,
        life: "Life",
        category: str,
        method: str,
        path: str,
        params: Mapping[str, Any],
        answer: "Answer",
        sent: Sent | None,
    ) -> None:
        api = "perp" if path.startswith("/fapi") else "sapi" if path.startswith("/sapi") else "spot"
        if answer.status in (418, 429):
            seconds = int(answer.headers.get("Retry-After", "1"))
            self.blocked[life.number, api] = max(
                self.blocked.get((life.number, api), 0.0), self._now_s + seconds - 0.001
            )
        if sent is not None and answer.status < 500 and answer.status not in (418, 429, 0):
            sent.told = True
            self.flying.pop(sent.client_id, None)
        if sent is not None and answer.status in (418, 429, 503):
            sent.told = self._venue_order(sent) is None
        if category == ACCOUNT and answer.status == 200:
            self.account_s[path] = self._now_s
        if category in (QUERY, TRADES) and answer.status == 200:
            rows = answer.document if isinstance(answer.document, list) else [answer.document]
            for row in rows:
                self._tell(row.get("clientOrderId", ""))
        weight = answer.headers.get("X-MBX-USED-WEIGHT-1M")
        if weight is not None:
            limit = 2_400 if api == "perp" else 6_000
            if int(weight) > limit * 0.81:
                self._pressed_s.setdefault(api, (self._now_s, self._minute()))
            else:
                self._pressed_s.pop(api, None)

    def streamed(self, event: Mapping[str, Any]) -> None:
        body = event.get("o") if event["e"] == "ORDER_TRADE_UPDATE" else event
        if isinstance(body, Mapping) and body["X"] not in ("NEW", "PARTIALLY_FILLED"):
            self._tell(str(body["c"]))

    def _tell(self, name: str) -> None:
        sent = self.flying.pop(name, None)
        if sent is not None:
            sent.told = True

    def feed_alive(self, feed: str) -> None:
        self.alive_s[feed] = self._now_s

    def feed_lost(self, life: "Life") -> None:
        del life
        self.lost_s = self._now_s

    def marked(self, symbol: str, mark: Mark) -> None:
        self.marks[symbol], self.marked_s[symbol] = mark, self._now_s

    def commanded(self, verb: str, cap: Decimal) -> None:
        if verb == "resume":
            self.halted_s = None
        if verb.startswith("limits"):
            self.caps.append(cap)

    def obeyed(self, verb: str) -> None:
        if verb in ("halt", "flatten"):
            self.halted_s = self._now_s
        if verb.startswith("limits"):
            del self.caps[:-1]

    def said(self, life: "Life", emit: Any, at: Any) -> None:
        del at
        self.said_names[emit.name] += 1
        shown = f"{emit.name} {dict(emit.fields)}"
        if emit.name == "risk.refused":
            self.said_names[f"refused by {emit.fields.get('rule')}"] += 1
        if self.world.verbose:
            self.world.note(f"[{life.number}] {emit.severity} {shown}")
        self.check(17, CANARY.decode() not in shown, f"the canary is in {emit.name}")
        if emit.name in ("task.died", "dispatch.failed", "dispatch.full"):
            self.violation(20, shown)

    # -- what the daemon writes down ------------------------------------------------------------------------

    def floor_ms(self) -> int:
        found = self.world.database.rows("SELECT at_ms FROM ledger_transactions WHERE kind = 'opening'")
        return int(found[0][0]) if found else 0

    def loaded(self, life: "Life") -> None:
        self.epoch = life.epoch
        self.lost_s = self._now_s
        self.account_s.clear()
        self.alive_s.clear()
        self.marked_s.clear()
        self._pressed_s.clear()

    def killed(self, life: "Life") -> None:
        """A new daemon has heard nothing of what this one was told and did not write down."""
        for name, sent in self.sent.items():
            row = self.orders.get(name)
            if row is None or row["state"] not in _ENDED:
                sent.told = False
                self.flying[name] = sent

    def committed(self, life: "Life", rows: "Rows") -> None:
        entries: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        opening: list[dict[str, Any]] = []
        self._commits += 1
        for sql, values in rows:
            table, columns = _columns(sql)
            row = dict(zip(columns, values, strict=True))
            match table:
                case "order_intents":
                    self.intents[str(row["client_id"])] = row
                    row["commit"] = self._commits
                    if row["purpose"] in _OPENING:
                        opening.append(row)
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
                case "control":
                    self.control = str(row["control"])
        if opening:
            self._within_limits(opening)
        for number, sums in entries.items():
            self.check(7, not any(sums.values()), f"transaction {number} does not balance: {dict(sums)}")

    def _order_row(self, row: dict[str, Any]) -> None:
        name, before = str(row["client_id"]), self.orders.get(str(row["client_id"]))
        filled, state = Decimal(row["filled_base"]), row["state"]
        self.orders[name] = row
        if before is not None:
            self.check(15, filled >= Decimal(before["filled_base"]), f"{name}: filled falls to {filled}")
            self.check(15, Decimal(row["fills_base"]) >= Decimal(before["fills_base"]), f"{name}: fills fall")
            lives_again = before["state"] in _ENDED and state not in _ENDED
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
        trade = self._trades().get(key)
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

    # -- the venue's truth ----------------------------------------------------------------------------------

    def _account(self) -> Any:
        return self.world.exchange._state.accounts[KEY]

    def _venue_order(self, sent: Sent) -> Any:
        account = self._account()
        number = account.newest_by_client.get((sent.book, sent.symbol, sent.client_id))
        return None if number is None else account.orders[number]

    def _scale(self, sent: Sent) -> int:
        return self._scale_of(sent.symbol, sent.book)

    def _scale_of(self, symbol: str, book: Book) -> int:
        return self.world.market.by_symbol[book, symbol].multiplier if book is Book.PERP else 1

    def _trades(self) -> dict[tuple[str, str], Any]:
        return {
            (f"binance:{symbol}:{book.value}", str(trade.id)): trade
            for (book, symbol), trades in self._account().trades.items()
            for trade in trades
        }

    def _income(self) -> set[tuple[str, int, Decimal, str]]:
        return {
            (f"binance:{one.symbol}:perp", _nominal(one.at_ms), one.amount, one.asset)
            for one in self._account().incomes
            if one.kind == "FUNDING_FEE"
        }

    def held(self, coin: str) -> tuple[Decimal, Decimal]:
        """(spot coins that are not the owner's, perpetual in coins)"""
        account, listed = self._account(), self.world.market.coins[coin]
        balance = account.spot.get(coin)
        spot = (balance.free + balance.locked if balance else ZERO) - self.world.plan.own_coins.get(coin, ZERO)
        holding = account.holdings.get(listed.perp.symbol)
        return spot, (holding.quantity if holding else ZERO) * listed.multiplier

    def _price(self, coin: str) -> Decimal:
        """As the daemon was last told."""
        listed = self.world.market.coins[coin]
        mark = self.marks.get(listed.perp.symbol) or self.world.market.mark(
            listed.perp.symbol, int(self.world.market_ms)
        )
        return mark.index / listed.multiplier

    def nav(self) -> Decimal:
        account = self._account()
        total = account.perp_wallet
        for asset, balance in account.spot.items():
            amount = balance.free + balance.locked
            total += amount if asset == "USDT" else amount * self._price(asset)
        for symbol, holding in account.holdings.items():
            mark = self.marks.get(symbol)
            price = mark.mark if mark else self.world.market.mark(symbol, int(self.world.market_ms)).mark
            total += holding.quantity * price - (holding.cost if holding.quantity > 0 else -holding.cost)
        return total

    def _within_limits(self, opening: Sequence[Mapping[str, Any]]) -> None:
        """10: what is held, and everything that may still fill, at the prices that the daemon was told."""
        nav = self.nav()
        coming = self._coming()
        worst: dict[str, Decimal] = {}
        for coin in COINS:
            spot, perp = self.held(coin)
            side = max(spot + coming[coin, "spot"], -perp + coming[coin, "perp"])
            worst[coin] = side * self._price(coin)
        names = ", ".join(str(row["client_id"]) for row in opening)
        cap = max(self.caps) * nav * CAP_SLACK + CAP_SLACK_USD
        for coin in {self._coin(row["instrument"]) for row in opening}:
            why = f"held {self.held(coin)}, coming {dict(coming)}, price {self._price(coin)}, NAV {nav:.0f}"
            self.check(10, worst[coin] <= cap, f"{names}: {coin} may reach {worst[coin]:.0f}, cap {cap:.0f} ({why})")
        ceiling = self.world.plan.ceiling * nav * CAP_SLACK + CAP_SLACK_USD
        total = sum(worst.values())
        self.check(10, total <= ceiling, f"{names}: the book may reach {total:.0f} of {ceiling:.0f}")

    def _coming(self) -> dict[tuple[str, str], Decimal]:
        """What opening orders that are not at the venue yet may still bring, by coin and book."""
        coming: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for name, intent in self.intents.items():
            row = self.orders.get(name)
            ended = row is not None and row["state"] in _ENDED
            opens = (intent["side"] == "buy") == str(intent["instrument"]).endswith("spot")
            if ended or not opens:
                continue
            sent = self.sent.get(name)
            waits = sent is None and name.startswith(f"cb{self.epoch}-")
            if waits or name in self._under_way:
                book = str(intent["instrument"]).rsplit(":", 1)[1]
                coming[self._coin(intent["instrument"]), book] += Decimal(intent["quantity_base"])
        return coming

    def _coin(self, instrument: str) -> str:
        _, symbol, kind = instrument.split(":")
        return self.world.market.by_symbol[Book(kind), symbol].name

    def _positions(self) -> None:
        for symbol, holding in self._account().holdings.items():
            self.check(11, holding.quantity < 0, f"{symbol} has become long: {holding.quantity}")

    # -- after every step -----------------------------------------------------------------------------------

    def restless(self) -> bool:
        """Whether something is under way that deserves fine steps."""
        return bool(self.naked_s) or self._now_s - self.last_order_s < (12.0 if self.flying else 1.5)

    def tick(self) -> None:
        now_s, world = self._now_s, self.world
        if now_s - self._gaps_s < GAPS_EVERY_S:
            return
        self._gaps_s = now_s
        patient = now_s < world.faulty_until_s or not world.life.running
        for coin in COINS:
            gap, limit = self._gap(coin)
            if gap <= limit:
                self.naked_s.pop(coin, None)
                continue
            since = self.naked_s.setdefault(coin, now_s)
            if patient:
                self.naked_s[coin] = now_s
            self.check(2, now_s - since <= NAKED_S, f"{coin} is unhedged by {gap} for {now_s - since:.0f} s of calm")
            if now_s - since > NAKED_S:
                self.naked_s[coin] = now_s + 1e6
        for coin, own in world.plan.own_coins.items():
            self.check(13, self.held(coin)[0] > -own / 1000, f"the owner's {coin} were sold")
        if now_s - self._looked_s >= 5.0:
            self._looked_s = now_s
            self._bounded()

    def _gap(self, coin: str) -> tuple[Decimal, Decimal]:
        spot, perp = self.held(coin)
        listed = self.world.market.coins[coin]
        lot = max(listed.spot.lot, listed.perp.lot * listed.multiplier)
        dust = max(listed.spot.notional_min, listed.perp.notional_min) * Decimal("1.25") / self._price(coin)
        return abs(spot + perp), lot + dust

    def _bounded(self) -> None:
        daemon = self.world.life.daemon
        self.check(18, len(daemon.inbox) <= QUEUE_MAX, f"the inbox holds {len(daemon.inbox)}")
        tasks = len(daemon._dispatcher._running) if daemon._dispatcher is not None else 0
        self.check(18, tasks <= TASKS_MAX, f"{tasks} requests in flight")
        if self.world.life.running and self._now_s > self.world.faulty_until_s + 30:
            problems = daemon.task_problems()
            self.check(20, not problems, f"tasks: {problems}")

    def unsettled(self) -> list[tuple[int, str]]:
        """What is not in order yet; empty when everything is."""
        found = [(5, f"{name} is still {row['state']}") for name, row in self.orders.items() if not row["settled"]]
        for coin in COINS:
            gap, limit = self._gap(coin)
            if gap > limit:
                found.append((1, f"{coin} is unhedged by {gap}, allowed is {limit}"))
        if self.world.plan.flatten_at_end:
            for symbol, holding in self._account().holdings.items():
                if abs(holding.quantity) >= self.world.market.by_symbol[Book.PERP, symbol].perp.lot:
                    found.append((1, f"{symbol} is still short {holding.quantity} after a flatten"))
        found += [(8, text) for text in self._ledger_gaps()]
        missing = self._income() - self.receipts
        if missing:
            found.append((9, f"{len(missing)} receipts of the venue are not in the books: {sorted(missing)[:3]}"))
        lacking = self._trades().keys() - self.fills.keys()
        if lacking:
            found.append((8, f"{len(lacking)} trades of the venue are not in the books: {sorted(lacking)[:3]}"))
        return found

    def _ledger_gaps(self) -> list[str]:
        account = self._account()
        theirs = {("venue:binance:spot", a): b.free + b.locked for a, b in account.spot.items()}
        theirs["venue:binance:perp", "USDT"] = account.perp_wallet
        ours = {key: amount for key, amount in self.ledger.items() if key[0].startswith("venue:")}
        fee = -sum((one.amount for one in account.incomes if one.kind == "INSURANCE_CLEAR"), ZERO)
        if fee and self.said_names["venue.unexplained"]:
            ours["venue:binance:perp", "USDT"] -= fee  # told, blocked and not papered over: all that can be asked
        return [
            f"{key}: ledger {ours.get(key, ZERO)}, venue {theirs.get(key, ZERO)}"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key, ZERO) != theirs.get(key, ZERO)
        ]

    # -- the end --------------------------------------------------------------------------------------------

    def audit(self) -> None:
        """Everything once more, from the database as it is on the disk."""
        for number, text in self.unsettled():
            self.violation(number, f"at the end: {text}")
        rows = self.world.database.rows
        self.check(9, self.receipt_rows == len(self.receipts), "a receipt is booked twice")
        stored = rows("SELECT count(*) FROM receipts")[0][0]
        self.check(
            9, stored == self.receipt_rows, f"{stored} receipts are stored, {self.receipt_rows} were committed"
        )
        self._audit_ledger()
        self._audit_legs()
        self.check(17, CANARY not in self.world.database.raw.serialize(), "the canary is in the database")
        self.check(18, not self.world.loop.failures, f"the loop complains: {self.world.loop.failures[:3]}")

    def books(self) -> dict[str, object]:
        """The final books by name: what two runs are compared by."""
        rows = self.world.database.rows
        found: dict[str, object] = {
            "hedges": sorted(rows("SELECT coin, state FROM hedges WHERE state <> 'closed'")),
            "receipts": sorted((name, at_ms, str(paid)) for name, at_ms, paid, _ in self.receipts),
        }
        for coin in COINS:
            spot, perp = self.held(coin)
            found[f"{coin} spot"], found[f"{coin} perp"] = spot, perp
        money = [amount for (account, asset), amount in self.ledger.items() if _in_usd(account, asset)]
        found["USDT at the venue"] = sum(money, ZERO)
        return found

    def tolerances(self) -> dict[str, Decimal]:
        """Other slices of the same order round a coin's fee otherwise: up to a lot of it, and its price."""
        lots = {f"{coin} spot": 2 * listed.spot.lot for coin, listed in self.world.market.coins.items()}
        return {**lots, "USDT at the venue": Decimal(1)}

    def _audit_ledger(self) -> None:
        rows, chain, expected = self.world.database.rows, "", 1
        entries: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
        for number, account, asset, amount in rows(
            "SELECT number, account, asset, amount FROM ledger_entries ORDER BY number, line"
        ):
            entries[number].append((account, asset, amount))
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for number, name, at_ms, kind, hedge, link in rows(
            "SELECT number, id, at_ms, kind, hedge_id, chain FROM ledger_transactions ORDER BY number"
        ):
            self.check(7, number == expected, f"transaction {expected} is missing")
            expected = number + 1
            lines = [chain, str(number), name, str(at_ms), kind, hedge or ""]
            for account, asset, amount in entries[number]:
                lines.append(f"{account}\x1f{asset}\x1f{amount}")
                sums[asset] += Decimal(amount)
            chain = hashlib.sha256("\x1e".join(lines).encode()).hexdigest()
            self.check(7, chain == link, f"the chain breaks at transaction {number}")
        self.check(7, not any(sums.values()), f"the ledger does not sum to nothing: {dict(sums)}")

    def _audit_legs(self) -> None:
        """The legs of all hedges are what the venue holds."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for instrument, quantity in self.world.database.rows("SELECT instrument, quantity_base FROM legs"):
            held[instrument] += Decimal(quantity)
        for coin in COINS:
            listed = self.world.market.coins[coin]
            spot, perp = self.held(coin)
            booked = held[f"binance:{listed.perp.symbol}:perp"]
            self.check(8, booked == perp, f"{coin}: legs hold {booked} of the perpetual, the venue {perp}")
            booked = held[f"binance:{listed.spot.symbol}:spot"]
            self.check(8, booked == spot, f"{coin}: legs hold {booked} of the coin, the venue {spot}")


def _in_usd(account: str, asset: str) -> bool:
    return account.startswith("venue:") and asset == "USDT"


_parsed: dict[str, tuple[str, list[str]]] = {}


def _columns(sql: str) -> tuple[str, list[str]]:
    found = _parsed.get(sql)
    if found is None:
        match = _INSERT.match(sql)
        assert match is not None, sql
        found = _parsed[sql] = match.group(1), [name.strip(' "') for name in match.group(2).split(",")]
    return found


def _nominal(at_ms: int) -> int:
    return (at_ms + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS


__all__ = ["Oracle", "Side"]
