"""Judges a run from the exchange's own records and from the rows in the database; shares no code with the daemon.

It keeps its own books: of orders sent (from the requests), of what the daemon was told (from the answers and frames)
and of what the daemon wrote down (from the committed rows). Numbers of violations are those of the invariants in
the specification; 0 is a defect of the run itself.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, MutableMapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, Mark, Top
from tests.campaign.answers import CANARY
from tests.campaign.faults import ACCOUNT, CALL, ORDER, QUERY, TRADES, TRANSFER
from tests.campaign.market import COINS, CORE

if TYPE_CHECKING:
    from tests.campaign.answers import Answer
    from tests.campaign.life import Life
    from tests.campaign.world import World

from tests.campaign.opening import IN_QUEUE_S, LINES_EACH
from tests.campaign.truth import MARGIN, Sent
from tests.campaign.words import Words
from tests.campaign.written import ENDED, OPENING

REQUEST_S = 5.0
"""How long a request about an order may take, its time in the queue included: the plan's `order_timeout_s`."""
NAKED_S = 45.0
"""How long something may stay unhedged while nothing is being done to the daemon: its longest pause and some more."""
NAKED_LARGE_S = 15.0
"""The same for more than a slice, unless nobody told of it: then it is found by the periodic reconciliation."""
PRESSED_TASKS_S = 130.0
"""Used weight counts by the minute: reading requests wait for the next one, and perhaps for the one after it."""
EARLY_S = 2.1
"""Weight that is told so early in a minute may be what was used in the minute before."""
WEIGHTS = {"spot": 6_000, "perp": 2_400, "sapi": 12_000}
"""That each API takes in a minute."""
QUEUE_MAX = 5_000
TASKS_MAX = 250
CALLS_MAX = 600
"""Requests between two looks, five seconds apart."""
GAPS_EVERY_S = 0.9


class Oracle(Words):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.said_names: Counter[str] = Counter()
        self.purposes: Counter[str] = Counter()
        self.refused_lives: set[int] = set()
        """Daemons that told of a database which refuses."""
        self.blocked: dict[tuple[int, str], float] = {}
        self.withheld_s: dict[str, float] = {}
        """Coin -> when a private event about it was last kept from the daemon."""
        self.last_order_s = -1e9
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
        if category == TRANSFER:
            self.moves(params)
        if category == ORDER:
            damaged_s = self.world.disk.damaged_s.get(life.number, self._now_s)
            intent = self.intents.get(str(params["newClientOrderId"]))
            # What reduces may wait out a Retry-After.
            kept = intent is not None and intent["committed_s"] <= damaged_s
            late = self._now_s - damaged_s > IN_QUEUE_S and not kept
            self.check(3, not late, f"an order leaves on damaged books: {dict(params)}")
            self._order_leaves(api, path, params)

    def _in_queue(self, intent: MutableMapping[str, Any]) -> bool:
        """Whether it may still wait to be let out: what makes a hedge smaller does so as long as a request lasts."""
        if intent["purpose"] == "open" or self.opens(intent):
            return bool(self._now_s - intent["committed_s"] <= IN_QUEUE_S)
        return self._now_s - self.world.disk.ended_s(intent["committed_s"]) <= REQUEST_S

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
        queued = intent is not None and self._in_queue(intent)  # its daemon was the newest when it was decided
        self.check(13, queued or name.startswith(f"cb{self.epoch}-"), f"{name} is sent in epoch {self.epoch}")
        row = self.orders.get(name)
        self.check(5, row is None or row["state"] not in ENDED, f"{name} leaves although it counts as ended: {row}")
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
            path.startswith("/sapi"),
        )
        self.purposes[intent["purpose"]] += 1
        self.sent[name] = self.flying[name] = sent
        self._as_intended(sent, intent)
        self.near_the_touch(intent)
        if not self.opens(intent):
            only = book is Book.SPOT or str(params.get("reduceOnly")) == "true"
            self.check(11, only, f"{name} closes the perpetual without reduceOnly")
            self.check(11, intent["purpose"] not in OPENING or book is Book.SPOT, f"{name} closes as an opening")
        else:
            self._may_open(api, sent)
        if self.world.plan.lent and book is Book.PERP:
            self._is_no_flip(sent, params)

    def _as_intended(self, sent: Sent, intent: Mapping[str, Any]) -> None:
        coin = self.world.market.by_symbol[sent.book, sent.symbol]
        scale = coin.multiplier if sent.book is Book.PERP else 1
        kind = MARGIN if sent.margin else sent.book.value
        same = (
            intent["instrument"] == f"binance:{sent.symbol}:{kind}"
            and Decimal(intent["quantity_base"]) == sent.quantity * scale
            and Decimal(intent["limit_price"]) * scale == sent.price
            and intent["side"] == sent.side.lower()
        )
        self.check(3, same, f"{sent.client_id} is not what was committed: {intent} {sent}")

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
        if api == "sapi":
            self.lender_told(path, answer)
        if path.endswith("/depth"):
            self.depth_told(path, params, answer)
        if sent is not None:
            self.refused_for_money(sent, answer)
        if path == "/fapi/v1/exchangeInfo" and answer.status == 200:
            self.listing_told(answer.document["symbols"])
        if path == "/api/v3/exchangeInfo" and answer.status == 200:
            self.spots_told(answer.document["symbols"])
        if path == "/sapi/v1/spot/delist-schedule" and answer.status == 200:
            self.schedule_told(answer.document)
        if category == TRADES and answer.status == 200:
            self._told_by_trades(answer.document)
        weight = answer.headers.get("X-MBX-USED-WEIGHT-1M") or answer.headers.get("X-SAPI-USED-IP-WEIGHT-1M")
        if weight is not None:
            limit = WEIGHTS[api]
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
        self.kept_from(Book(book), symbol)

    def kept_from(self, book: Book, symbol: str) -> None:
        """Nothing tells of what has just happened to a coin: the margin account has no private stream."""
        self.withheld_s[self.world.market.by_symbol[book, symbol].name] = self._now_s

    def _tell(self, name: str) -> None:
        sent = self.flying.pop(name, None)
        if sent is not None:
            sent.told = True

    def sign_of_life(self, feed: str, line: str) -> None:
        """A frame or a pong arrives; a feed is as old as the oldest of its lines."""
        signs = self.signs_s.setdefault(feed, {})
        signs[line] = self._now_s
        if len(signs) == LINES_EACH.get(feed, 1):
            self.alive_s[feed] = min(signs.values())

    def feed_lost(self, feed: str) -> None:
        self.lost_s = self.feed_lost_s[feed] = self._now_s

    def quoted(self, feed: str, symbol: str, top: Top, number: int) -> None:
        """A quote arrives; one that is older than another that came before it tells nothing."""
        if self.older(f"{feed} {symbol}", number):
            return
        scale = self._scale_of(symbol, Book(feed))
        self.touched(f"binance:{symbol}:{feed}", top.bid / scale, top.ask / scale)
        self.quoted_s[f"{feed} {symbol}"] = self._now_s

    def marked(self, symbol: str, mark: Mark, at_ms: int) -> None:
        if self.older(f"mark {symbol}", at_ms):
            return
        self.marks_before[symbol] = self.marks.get(symbol, mark)
        self.marks[symbol], self.marked_s[symbol] = mark, self._now_s
        self.told_ms = int(self.world.market_ms)
        if symbol.removesuffix("USDT") in CORE:
            self.core_moves(symbol, mark, at_ms)

    def said(self, life: "Life", emit: Any, at: Any) -> None:
        del at
        self.said_names[emit.name] += 1
        if emit.name in ("store.failed", "store.recovered"):
            self.store_refuses = emit.name == "store.failed"
        shown = f"{emit.name} {dict(emit.fields)}"
        if emit.name == "store.failed":
            self.refused_lives.add(life.number)
        if emit.name in ("risk.refused", "risk.forced"):
            self.said_names[f"{emit.name.removeprefix('risk.')} by {emit.fields.get('rule')}"] += 1
        if emit.name == "order.rejected" and "commit took too long" in str(emit.fields["reason"]):
            self.said_names["commit took too long"] += 1
        if self.world.verbose:
            self.world.note(f"[{life.number}] {emit.severity} {shown}")
        self.check(17, CANARY not in shown, f"the canary is in {emit.name}")
        if life is self.world.life:  # not one that a newer daemon has taken over from, which hears nothing of the end
            self.alarmed(emit)
        if emit.name == "market.closed":
            self.closed_alarm(str(emit.fields["coin"]))
        if emit.name == "position.taken":
            self.taken_alarm(str(emit.fields["client_id"]))
        if emit.name == "venue.listed":
            self.listed()
        newest = life is self.world.life or "TakenOver" not in shown
        if newest and emit.name in ("task.died", "dispatch.failed", "dispatch.full"):
            self.violation(20, shown)

    # -- what the daemon writes down ------------------------------------------------------------------------

    def floor_ms(self) -> int:
        found = self.world.database.rows(
            "SELECT at_ms FROM ledger_transactions WHERE kind = 'opening' ORDER BY number"
        )
        return int(found[0][0]) if found else 0

    def loaded(self, life: "Life") -> None:
        self.epoch = life.epoch
        self.store_refuses = False
        self.stops_s = None
        self._untell()
        self.starts_anew()
        self.lost_s = self._now_s
        self.account_s.clear()
        self.alive_s.clear()
        self.marked_s.clear()
        self.signs_s.clear()
        self.newest.clear()
        self.quoted_s.clear()
        self.feed_lost_s.clear()
        self._pressed_s.clear()

    def killed(self, life: "Life") -> None:
        if life is self.world.life:  # else a newer one is loaded already, and goes on with what it was told itself
            self._untell()

    def _untell(self) -> None:
        """A new daemon has heard nothing of what the one before was told and did not write down."""
        for name, sent in self.sent.items():
            row = self.orders.get(name)
            if row is None or row["state"] not in ENDED:
                sent.told = False
                self.flying[name] = sent

    # -- after every step -----------------------------------------------------------------------------------

    def restless(self) -> bool:
        """Whether something is under way that deserves fine steps."""
        open_ended = any(not self._ended(name) for name in self.flying)
        busy = bool(self.naked_s) or self.recalling() or self.ending() or self.demanding()
        return busy or self._now_s - self.last_order_s < (12.0 if open_ended else 1.5)

    def _ended(self, name: str) -> bool:
        row = self.orders.get(name)
        return row is not None and row["state"] in ENDED

    def tick(self) -> None:
        now_s, world = self._now_s, self.world
        if now_s - self._gaps_s < GAPS_EVERY_S:
            return
        self._gaps_s = now_s
        patient = now_s < world.faulty_until_s or not world.life.running
        self.alarm_comes(patient=patient)
        for coin in COINS:
            gap, limit = self._gap(coin)
            if gap <= limit or self.out_of_hand(coin) or self.ended_unseen(coin):
                self.naked_s.pop(coin, None)
                self.untold.discard(coin)
                continue
            if coin not in self.naked_s and now_s - self.withheld_s.get(coin, -1e9) <= GAPS_EVERY_S + 0.6:
                self.untold.add(coin)
            since = self.naked_s.setdefault(coin, now_s)
            if patient or self.must_stay(coin) or (self._unread() and self.short_of_weight()):
                self.naked_s[coin] = now_s
            large = gap * self._price(coin) > world.plan.slice_usd * Decimal("1.2")
            most_s = NAKED_LARGE_S if large and coin not in self.untold else NAKED_S
            self.check(2, now_s - since <= most_s, f"{coin} is unhedged by {gap} for {now_s - since:.0f} s of calm")
            if now_s - since > most_s:
                self.naked_s[coin] = now_s + 1e6
        for coin in COINS:
            own = self.own(coin)
            if not own:
                continue
            held = self.held(coin)[0] - self.lent(coin)
            self.check(13, held >= -own / 1000, f"the owner's {coin} were sold")
        self.rules_are_obeyed(patient=patient or self.store_refuses)
        self.closed_is_told(patient=patient)
        if self.ending_told_s:
            self.ends_are_obeyed(patient=patient)
        if world.plan.lent:
            self.recalls_are_obeyed(patient=patient)
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
