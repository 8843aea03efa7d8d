"""Judges a run from the exchange's own records and from the rows in the database; shares no code with the daemon.

It keeps its own books: of orders sent (from the requests), of what the daemon was told (from the answers and frames)
and of what the daemon wrote down (from the committed rows). Numbers of violations are those of the invariants in
the specification; 0 is a defect of the run itself.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, Mark
from tests.campaign.answers import CANARY
from tests.campaign.faults import ACCOUNT, CALL, ORDER, QUERY, TRADES
from tests.campaign.market import COINS

if TYPE_CHECKING:
    from tests.campaign.answers import Answer
    from tests.campaign.life import Life
    from tests.campaign.world import World

from tests.campaign.audit import Audit
from tests.campaign.truth import Sent
from tests.campaign.written import ENDED, OPENING

STALE_S = 5.0
SETTLE_WINDOW_S = 2.0
NAKED_S = 45.0
"""How long something may stay unhedged while nothing is being done to the daemon: its longest pause and some more."""
NAKED_LARGE_S = 15.0
"""The same for more than a slice, unless nobody told of it: then it is found by the periodic reconciliation."""
IN_QUEUE_S = 0.65
"""What was committed before a halt may leave so much later; what is committed after it is judged at its commit."""
NAKED_KNOWN_S = 6.0
"""By then the daemon knows, whatever became of the private streams' events: what is older is not news."""
PRESSED_TASKS_S = 130.0
"""Used weight counts by the minute: reading requests wait for the next one, and perhaps for the one after it."""
PRESSED_S = 0.3
"""An order that was admitted a moment before the weight was told may still be on its way."""
EARLY_S = 2.1
"""Weight that is told so early in a minute may be what was used in the minute before."""
QUEUE_MAX = 5_000
TASKS_MAX = 250
CALLS_MAX = 600
"""Requests between two looks, five seconds apart."""
GAPS_EVERY_S = 0.9


class Oracle(Audit):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.said_names: Counter[str] = Counter()
        self.purposes: Counter[str] = Counter()
        self.flying: dict[str, Sent] = {}
        """Orders that may still arrive, or of whose end the daemon was not told."""
        self.alive_s: dict[str, float] = {}
        self.lost_s = -1.0
        self.feed_lost_s: dict[str, float] = {}
        self.quoted_s: dict[str, float] = {}
        self.account_s: dict[str, float] = {}
        self.blocked: dict[tuple[int, str], float] = {}
        self.halted_s: float | None = None
        self.closed: set[str] = set()
        """Coins that the owner has closed and not readmitted."""
        self.naked_s: dict[str, float] = {}
        self.withheld_s: dict[str, float] = {}
        """Coin -> when a private event about it was last kept from the daemon."""
        self.untold: set[str] = set()
        """Coins whose gap began with such an event."""
        self.last_order_s = -1e9
        self._pressed_s: dict[str, tuple[float, tuple[int, ...]]] = {}
        self._looked_s = self._gaps_s = 0.0
        self._calls = 0

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
            self._order_leaves(api, path, params)

    def leaves(self, category: str, params: Mapping[str, Any], *, arrives: bool) -> Sent | None:
        """A request is on its way to the venue: the order that it is of, if it is of one."""
        if category != ORDER:
            return None
        name = str(params["newClientOrderId"])
        if arrives:
            self._under_way.add(name)
        return self.sent.get(name)

    def _order_leaves(self, api: str, path: str, params: Mapping[str, Any]) -> None:
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
            self.check(11, intent["purpose"] not in OPENING or book is Book.SPOT, f"{name} closes as an opening")
        else:
            self._may_open(api, sent)

    def _as_intended(self, sent: Sent, intent: Mapping[str, Any]) -> None:
        coin = self.world.market.by_symbol[sent.book, sent.symbol]
        scale = coin.multiplier if sent.book is Book.PERP else 1
        same = (
            Decimal(intent["quantity_base"]) == sent.quantity * scale
            and abs(Decimal(intent["limit_price"]) * scale - sent.price) * 1000 <= sent.price
            and intent["side"] == sent.side.lower()
        )
        self.check(3, same, f"{sent.client_id} is not what was committed: {intent} {sent}")

    def _may_open(self, api: str, sent: Sent) -> None:
        now_s, name = self._now_s, sent.client_id
        coin = self.world.market.by_symbol[sent.book, sent.symbol]
        for other in self.flying.values():
            earlier = self._commit_of(other.client_id) < self._commit_of(name)
            if other.hedge == sent.hedge and earlier:
                self.check(6, self._known(other), f"{name} opens while {other.client_id} is unknown")
        fresh = min(self.account_s.get("/api/v3/account", -2.0), self.account_s.get("/fapi/v3/account", -2.0))
        self.check(6, fresh > self.lost_s or now_s - self.lost_s < 0.05, f"{name} opens before the account was read")
        self._on_fresh_data(name, coin)
        if self.intents[name]["purpose"] == "open":
            self._adds_to_what_is_whole(sent, coin)
        if now_s - self.intents[name]["committed_s"] > IN_QUEUE_S:
            self.check(12, coin.name not in self.closed, f"{name} opens {coin.name}, which the owner closed")
            self.check(12, self.halted_s is None, f"{name} opens while halted by the owner")
            self.check(12, self.control in ("", "running"), f"{name} opens while the books say {self.control}")
        pressed_s, minutes = self._pressed_s.get(api, (1e18, (-1, -1)))
        opens = self.intents[name]["purpose"] == "open"  # completing a hedge is repair: it may use what is reserved
        pressed = opens and pressed_s < now_s - PRESSED_S and minutes == self._minutes()
        self.check(19, not pressed, f"{name} opens with the weight that closing orders need")

    def _on_fresh_data(self, name: str, coin: Any) -> None:
        now_s = self.intents[name]["committed_s"]  # a repair may wait in the queue; it was decided then
        for feed in ("spot", "perp"):
            age_s = now_s - self.alive_s.get(feed, -1e9)
            self.check(16, age_s <= STALE_S + 0.1, f"{name} opens on a {feed} feed that is {age_s:.1f} s old")
        for listed, feed in ((coin.spot, "spot"), (coin.perp, "perp")):
            told_s, lost_s = self.quoted_s.get(f"{feed} {listed.symbol}", -1.0), self.feed_lost_s.get(feed, -2.0)
            fresh = told_s >= lost_s or now_s - lost_s < 0.05
            self.check(16, fresh, f"{name} opens without a {feed} quote since the feed was lost")
        age_s = now_s - self.marked_s.get(coin.perp.symbol, -1e9)
        self.check(16, age_s <= STALE_S + 0.1, f"{name} opens on a mark that is {age_s:.1f} s old")

    def _adds_to_what_is_whole(self, sent: Sent, coin: Any) -> None:
        """2: a slice is all that can be naked, and nothing is added to a hedge that has been naked for seconds."""
        naked_s = self._now_s - self.naked_s.get(coin.name, self._now_s)
        self.check(2, naked_s <= NAKED_KNOWN_S, f"{sent.client_id} adds to {coin.name}, naked for {naked_s:.1f} s")
        usd = sent.quantity * sent.price
        least = max(coin.spot.notional_min, coin.perp.notional_min)
        most = self.world.plan.slice_usd * Decimal("1.3") + least * 4
        self.check(2, usd <= most, f"{sent.client_id} is of {usd:.0f} USD, a slice is {self.world.plan.slice_usd}")

    def _allowed_now(self, opening: Sequence[Mapping[str, Any]]) -> None:
        """12: nothing that opens is committed while halted, or of a coin that the owner closed."""
        names = ", ".join(str(row["client_id"]) for row in opening)
        self.check(12, self.halted_s is None, f"{names} is decided while halted by the owner")
        for said in {str(row["control"]) for row in opening}:
            self.check(12, said in ("", "running"), f"{names} is decided while the books say {said}")
        for coin in {self._coin(row["instrument"]) for row in opening}:
            self.check(12, coin not in self.closed, f"{names} opens {coin}, which the owner closed")

    def _clocks_s(self) -> tuple[float, float]:
        """The venue's clock and the machine's: the daemon goes by the first, as far as it has measured it."""
        return self.world.wire.wall_ms() / 1000, self.world.loop.wall_s()

    def _minutes(self) -> tuple[int, ...]:
        """The minute in which the daemon may believe to be: used weight is of one minute."""
        return tuple(int(clock_s // 60) for clock_s in self._clocks_s())

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
            coin = self.world.market.by_symbol[sent.book, sent.symbol].name
            gap, limit = self._gap(coin)
            if gap <= limit:
                self.naked_s.pop(coin, None)
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
        if category == TRADES and answer.status == 200:
            self._told_by_trades(answer.document)
        weight = answer.headers.get("X-MBX-USED-WEIGHT-1M")
        if weight is not None:
            limit = 2_400 if api == "perp" else 6_000
            if int(weight) > limit * 0.81:
                if min(clock_s % 60 for clock_s in self._clocks_s()) >= EARLY_S:
                    self._pressed_s.setdefault(api, (self._now_s, self._minutes()))
            else:
                self._pressed_s.pop(api, None)

    def _told_by_trades(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Trades name their order by number: an order that has traded in whole has ended."""
        traded: dict[int, Decimal] = defaultdict(Decimal)
        for row in rows:
            traded[int(row["orderId"])] += Decimal(str(row["qty"]))
        for sent in list(self.flying.values()):
            order = self._venue_order(sent)
            if order is not None and traded[order.id] >= sent.quantity:
                self._tell(sent.client_id)

    def streamed(self, event: Mapping[str, Any]) -> None:
        body = event.get("o") if event["e"] == "ORDER_TRADE_UPDATE" else event
        if isinstance(body, Mapping) and body["X"] not in ("NEW", "PARTIALLY_FILLED"):
            self._tell(str(body["c"]))

    def withheld(self, book: str, event: Mapping[str, Any]) -> None:
        """A private event is lost, or on its way for long."""
        symbol = str(event["o"]["s"] if event["e"] == "ORDER_TRADE_UPDATE" else event["s"])
        self.withheld_s[self.world.market.by_symbol[Book(book), symbol].name] = self._now_s

    def _tell(self, name: str) -> None:
        sent = self.flying.pop(name, None)
        if sent is not None:
            sent.told = True

    def feed_alive(self, feed: str) -> None:
        self.alive_s[feed] = self._now_s

    def feed_lost(self, feed: str) -> None:
        self.lost_s = self.feed_lost_s[feed] = self._now_s

    def quoted(self, feed: str, symbol: str) -> None:
        self.quoted_s[f"{feed} {symbol}"] = self._now_s

    def marked(self, symbol: str, mark: Mark) -> None:
        self.marks[symbol], self.marked_s[symbol] = mark, self._now_s

    def commanded(self, verb: str, cap: Decimal, coin: str) -> None:
        if verb == "resume":
            self.halted_s = None
        if verb == "readmit":
            self.closed.discard(coin)
        if verb.startswith("limits"):
            self.caps.append(cap)

    def obeyed(self, verb: str, coin: str) -> None:
        if verb == "close":
            self.closed.add(coin)
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
        self.check(17, CANARY not in shown, f"the canary is in {emit.name}")
        newest = life is self.world.life or "TakenOver" not in shown
        if newest and emit.name in ("task.died", "dispatch.failed", "dispatch.full"):
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
        self.quoted_s.clear()
        self.feed_lost_s.clear()
        self._pressed_s.clear()

    def killed(self, life: "Life") -> None:
        """A new daemon has heard nothing of what this one was told and did not write down."""
        for name, sent in self.sent.items():
            row = self.orders.get(name)
            if row is None or row["state"] not in ENDED:
                sent.told = False
                self.flying[name] = sent

    # -- after every step -----------------------------------------------------------------------------------

    def restless(self) -> bool:
        """Whether something is under way that deserves fine steps."""
        open_ended = any(not self._ended(name) for name in self.flying)
        return bool(self.naked_s) or self._now_s - self.last_order_s < (12.0 if open_ended else 1.5)

    def _ended(self, name: str) -> bool:
        row = self.orders.get(name)
        return row is not None and row["state"] in ENDED

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
                self.untold.discard(coin)
                continue
            if coin not in self.naked_s and now_s - self.withheld_s.get(coin, -1e9) <= GAPS_EVERY_S + 0.6:
                self.untold.add(coin)
            since = self.naked_s.setdefault(coin, now_s)
            if patient:
                self.naked_s[coin] = now_s
            large = gap * self._price(coin) > world.plan.slice_usd * Decimal("1.2")
            most_s = NAKED_LARGE_S if large and coin not in self.untold else NAKED_S
            self.check(2, now_s - since <= most_s, f"{coin} is unhedged by {gap} for {now_s - since:.0f} s of calm")
            if now_s - since > most_s:
                self.naked_s[coin] = now_s + 1e6
        for coin, own in world.plan.own_coins.items():
            self.check(13, self.held(coin)[0] > -own / 1000, f"the owner's {coin} were sold")
        if now_s - self._looked_s >= 5.0:
            self._looked_s = now_s
            self._bounded()

    def _bounded(self) -> None:
        daemon = self.world.life.daemon
        self.check(18, len(daemon.inbox) <= QUEUE_MAX, f"the inbox holds {len(daemon.inbox)}")
        calls = self.world.wire.counts[CALL]
        self.check(18, calls - self._calls <= CALLS_MAX, f"{calls - self._calls} requests within some seconds")
        self._calls = calls
        tasks = len(daemon._dispatcher._running) if daemon._dispatcher is not None else 0
        self.check(18, tasks <= TASKS_MAX, f"{tasks} requests in flight")
        pressed = self._now_s < self.world.wire.pressure_until_s + PRESSED_TASKS_S
        if self.world.life.running and self._now_s > self.world.faulty_until_s + 30 and not pressed:
            problems = daemon.task_problems()
            self.check(20, not problems, f"tasks: {problems}")
