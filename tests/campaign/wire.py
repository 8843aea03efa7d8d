"""The exchange behind its own wire handlers, without sockets: requests arrive, are counted, applied and answered.

Between a request and its answer stand the plan's faults. What the daemon asked and what it was told is shown to the
oracle. The daemon's side of it is in `rest`.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import ccxt.async_support as ccxt

from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Book, Happening, VenueError
from bot.simulator.wire.api import Call
from bot.simulator.wire.limits import FUTURES_PLAN, SAPI_PLAN, SPOT_PLAN, Limiter, LimitExceededError
from bot.simulator.wire.params import Params
from bot.simulator.wire.routes import endpoint_of
from bot.simulator.wire.shapes import encode
from bot.simulator.wire.user_streams import UserStreams
from bot.simulator.wire.venue import Simulation
from tests.campaign.answers import CANARY, HANG_S, KEY, Answer, SpoiltError, limited, lost_as
from tests.campaign.faults import (
    ACCOUNT,
    CALL,
    DATA,
    INCOME,
    INTEREST,
    LOAN_ORDER,
    ORDER,
    QUERY,
    TRADES,
    TRANSFER,
    Fault,
)
from tests.campaign.lending import PATH as LOANS_PATH
from tests.campaign.lending import Lender, category_of
from tests.campaign.streams import FaultyHub
from tests.campaign.unanswered import Unanswered

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.world import World

_PLACES = {("POST", "/api/v3/order"), ("POST", "/fapi/v1/order")}
_CATEGORIES = {
    "/api/v3/order": QUERY,
    "/fapi/v1/order": QUERY,
    "/api/v3/openOrders": QUERY,
    "/fapi/v1/openOrders": QUERY,
    "/api/v3/allOrders": QUERY,
    "/fapi/v1/allOrders": QUERY,
    "/api/v3/myTrades": TRADES,
    "/fapi/v1/userTrades": TRADES,
    "/api/v3/account": ACCOUNT,
    "/fapi/v3/account": ACCOUNT,
    "/fapi/v3/positionRisk": ACCOUNT,
    "/fapi/v1/income": INCOME,
}


DIES_S = 0.4
AT_ONCE_S, BACK_S = 0.02, 0.2
"""An order's daemon dies so soon after it left, and the next one starts so much later."""


class QuietSimulation(Simulation):
    """The venue's process without its own durable state: it never dies here."""

    def save(self) -> None:
        self._dirty = False


class _NoState:
    def load_state(self, name: str) -> None:
        del name

    def note_market_ms(self, market_ms: int) -> None:
        del market_ms


_LOST_AFTER = {
    "reply_lost",
    "loan_reply_lost",
    "unanswered",
    "hidden",
    "transfer_lost",
    "query_lost",
    "data_lost",
} | {"order_over_crash"}
"""Faults whose request is applied and whose answer does not come."""
_EXPIRED = Answer(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, {})


class Wire(UserStreams):
    """The one venue of a seed."""

    def __init__(self, world: "World", exchange: Exchange) -> None:
        self.world = world
        clock = SimpleNamespace(read_ms=lambda: int(world.market_ms), speed=1.0, running_speed=1.0, paused=False)
        self.sim = QuietSimulation(
            market=world.market,
            exchange=exchange,
            clock=clock,  # type: ignore[arg-type]
            store=_NoState(),  # type: ignore[arg-type]
            wall_ms=self.wall_ms,
            monotonic_ns=lambda: int(world.loop.now_s * 1e9),
            tick_ms=100,
        )
        self.sim.on_reported = self.report
        self.hub = FaultyHub(world, self.sim)
        super().__init__(self.sim, self.hub)
        self.limiters = {
            "spot": Limiter(SPOT_PLAN, self.wall_ms),
            "sapi": Limiter(SAPI_PLAN, self.wall_ms),
            "perp": Limiter(FUTURES_PLAN, self.wall_ms),
        }
        self.counts: Counter[str] = Counter()
        self.lag_until_s = -1e9
        self.down_until_s = self.no_route_until_s = self.pressure_until_s = 0.0
        self.banned_until_s: dict[str, float] = {}
        self.ban_asked_s = 0.0
        self.hidden: dict[str, float] = {}
        self.closed_until_s: dict[str, float] = {}
        """Client id -> until when no view shows it."""
        self.trades_lag: tuple[float, int] = (0.0, 0)
        self.stale_until_s = 0.0
        self.receipts_hidden: tuple[float, int, str] = (0.0, 0, "")
        self.repeat_receipts = False
        self._kept: dict[str, Any] = {}
        self.lender = Lender(world)
        self.unanswered = Unanswered(world)

    def wall_ms(self) -> int:
        """The venue's own clock is right, whatever the daemon's machine thinks."""
        return 1_790_000_000_000 + int(self.world.loop.now_s * 1000)

    def lags(self, seconds: float) -> None:
        """A view of the account tells less than there is, for so long."""
        self.lag_until_s = max(self.lag_until_s, self.world.loop.now_s + seconds)

    def hide_receipts(self, coin: str, seconds: float) -> None:
        """What is paid for a coin (all, if none is named) is told later, perhaps after the next settlement's.

        Of coins that are not held the next one that is stands in.
        """
        self.lags(seconds)
        account = self.world.exchange._state.accounts.get(KEY)
        holdings = account.holdings.items() if account is not None else ()
        held = sorted(self.world.market.by_symbol[Book.PERP, symbol].name for symbol, one in holdings if one.quantity)
        if coin and held:
            coin = next((name for name in held if name >= coin), held[0])
        self.receipts_hidden = self.world.loop.now_s + seconds, int(self.world.market_ms), coin

    # -- the private streams --------------------------------------------------------------------------------

    def report(self, api_key: str, happenings: Sequence[Happening]) -> None:
        told = [h for h in happenings if h.order is not None]
        for happening in told:
            if happening.order is not None and happening.order.request.margin and happening.kind == "LIQUIDATION":
                self.world.oracle.kept_from(Book.SPOT, happening.order.request.symbol)
        super().report(api_key, told)

    def _send(self, api_key: str, book: Any, event: dict[str, Any]) -> None:
        if event["e"] in ("executionReport", "ORDER_TRADE_UPDATE"):
            self.world.streams.private(book.value, event)

    # -- requests -------------------------------------------------------------------------------------------

    async def request(self, life: "Life", api: str, method: str, path: str, params: Mapping[str, Any]) -> Answer:
        """From the daemon's call to its answer. Raises ccxt's errors; never returns to a daemon that is dead."""
        category = ORDER if (method, path) in _PLACES else _CATEGORIES.get(path, DATA)
        category = category_of(method, path) or category
        if path == "/sapi/v1/asset/transfer" and method == "POST":
            category = TRANSFER
        await life.alive()
        self.counts[CALL] += 1
        self.counts[category] += 1
        oracle, dice = self.world.oracle, self.world.dice
        oracle.asked(life, api, category, method, path, params)
        dies: Fault | None = None
        for how in self.world.struck(CALL, self.counts[CALL]):
            if how.kind == "crash_in_recovery":
                again = Fault("crash_at_call", CALL, self.counts[CALL] + 1 + how.size, how.how, 1.0)
                self.world.plant(again)
                how = Fault(how.kind, CALL, how.at, "before", 1.0)
            if how.how == "before":
                self.world.kill(life, how.size)
                await life.alive()
            else:
                dies = how
        fault = self._draw(category, path, params)
        late_s, before_s = 0.0, dice.uniform(0.004, 0.03)
        if fault is not None and fault.kind == "order_over_crash":
            self.world.loop.call_later(AT_ONCE_S, self.world.kill, life, BACK_S)
            late_s = fault.size if fault.how == "late" else 0.0
        if fault is not None and fault.kind == "transfer_lost" and int(fault.at) % 2:
            # Made, and of no known outcome: its daemon dies over it.
            self.world.loop.call_later(DIES_S, self.world.kill, life, DIES_S)
        if fault is not None:
            if fault.kind in ("never_arrived", "transfer_never_arrived"):
                await self._lost(life, fault.how or "reset")
            if fault.kind in ("applied_late", "transfer_late"):
                late_s = fault.size
            if fault.kind == "slow_order" and fault.how == "before":
                before_s += fault.size
        answered: asyncio.Future[Answer] = self.world.loop.create_future()
        expired = before_s * 1000 > params.get("recvWindow", 1e9)
        ticket = oracle.leaves(category, params, arrives=not expired)

        def arrive() -> None:
            answer = _EXPIRED if expired else self._arrive(api, method, path, params, fault)
            oracle.arrived(ticket)
            if dies is not None:  # the venue has done it, and nobody is told
                self.world.kill(life, dies.size)
            if not answered.done():
                answered.set_result(answer)

        self.world.loop.call_later(before_s + late_s, arrive)
        if late_s:
            await self._lost(life, lost_as(fault))
        answer = await answered
        after_s = dice.uniform(0.004, 0.02)
        if fault is not None and fault.kind == "slow_order" and fault.how == "after":
            after_s += fault.size
        if before_s + after_s > HANG_S:
            await self._lost(life, "reset")
        await asyncio.sleep(after_s)
        await life.alive()
        if fault is not None and fault.kind in _LOST_AFTER:
            await self._lost(life, lost_as(fault))
        oracle.told(life, category, method, path, params, answer, ticket)
        return answer

    def _draw(self, category: str, path: str, params: Mapping[str, Any]) -> Fault | None:
        found = None
        if category == ORDER and path.startswith(LOANS_PATH):
            self.counts[LOAN_ORDER] += 1
            for struck in self.world.struck(LOAN_ORDER, self.counts[LOAN_ORDER]):
                return struck
        for struck in self.world.struck(category, self.counts[category]):
            found = struck
        if found is None and category == ORDER:
            found = self.unanswered.takes(path, params)
        if found is None and category in (TRADES, ACCOUNT, INCOME, INTEREST):
            self.counts[DATA] += 1
            for struck in self.world.struck(DATA, self.counts[DATA]):
                found = struck
        return found

    async def _lost(self, life: "Life", how: str) -> None:
        """The daemon gets no answer, or one that says nothing."""
        url = f"https://fapi.binance.com/fapi/v1/order?timestamp=1&signature={CANARY}"
        if how == "hang":
            await asyncio.sleep(HANG_S)
            await life.alive()
            raise ccxt.RequestTimeout(f"binance POST {url}")
        await life.alive()
        if how == "reset":
            raise ccxt.NetworkError(f"binance POST {url}")
        raise SpoiltError(how)

    def _arrive(self, api: str, method: str, path: str, params: Mapping[str, Any], fault: Fault | None) -> Answer:
        """The venue's own work, at one moment."""
        world, now_s = self.world, self.world.loop.now_s
        if now_s < self.down_until_s:
            return Answer(503, None, {})
        if now_s < self.no_route_until_s:
            return Answer(0, None, {})
        banned = self.banned_until_s.get(api, 0.0)
        if now_s < banned:
            return limited(418, banned - now_s)
        if self.unanswered.silences(method, path, params):
            return Answer(503, None, {})
        if fault is not None:
            refusal = self._refusal(api, method, path, params, fault)
            if refusal is not None:
                return refusal
        if self._closed(params):
            return Answer(400, {"code": -1013, "msg": "Market is closed."}, {})
        world.step_venue()
        answer = self._apply(api, method, path, params)
        if path == "/fapi/v1/leverageBracket":
            answer.document = json.loads(encode(answer.document), parse_float=Decimal)
        if answer.status == 200 and path.startswith(LOANS_PATH):
            answer = self.lender.view(path, params, answer)
        return self._view(path, params, answer)

    def _closed(self, params: Mapping[str, Any]) -> bool:
        """Whether it is an order in a coin in which the venue takes none for a while."""
        if not self.closed_until_s or "newClientOrderId" not in params:
            return False
        names = {coin.spot.symbol: name for name, coin in self.world.market.coins.items()}
        names |= {coin.perp.symbol: name for name, coin in self.world.market.coins.items()}
        return self.world.loop.now_s < self.closed_until_s.get(names[str(params["symbol"])], 0.0)

    def _refusal(self, api: str, method: str, path: str, params: Mapping[str, Any], fault: Fault) -> Answer | None:
        world, now_s = self.world, self.world.loop.now_s
        match fault.kind:
            case "refused":
                if fault.size >= 2:
                    world.plant(Fault("refused", ORDER, 0, fault.how, fault.size - 1))
                return Answer(400, {"code": int(fault.how), "msg": "refused by the plan"}, {})
            case "loan_refused":
                return self.lender.refusal(params, fault)
            case "interest_late" | "interest_repeated":
                self.lender.note(fault)
            case "transfer_refused":
                return Answer(400, {"code": -5013, "msg": "insufficient balance"}, {})
            case "unavailable" if fault.how == "503":
                return Answer(503, {"code": 0, "msg": "Service Unavailable."}, {})
            case "unavailable":
                return Answer(503, {"code": -1008, "msg": "Server is currently overloaded."}, {})
            case "rate_limited":
                self.banned_until_s[api] = now_s + fault.size
                # What has waited for it is late on its way as well: its settle window begins when it left.
                world.plant(Fault("applied_late", ORDER, self.counts[ORDER] + 1, "reset", 1.3))
                return limited(429, fault.size)
            case "partial_fill" | "empty_ioc":
                share = fault.size if fault.kind == "partial_fill" else 0.0
                book = "perp" if path.startswith("/fapi") else "spot"
                rule = {"kind": "partial_fill", "fraction": share, "count": 1, "book": book}
                self.sim.exchange.faults.add([{**rule, "symbol": str(params["symbol"])}])
                if fault.kind == "empty_ioc" and fault.size >= 2:
                    world.plant(Fault("empty_ioc", ORDER, 0, "", fault.size - 1))
            case "hidden" | "order_over_crash" if fault.how != "late":
                self.lags(fault.size)
                self.hidden[str(params["newClientOrderId"])] = now_s + fault.size
            case "trades_lag":
                self.lags(fault.size)
                self.trades_lag = now_s + fault.size, int(world.market_ms - 1000 * fault.size * world.speed)
            case "account_stale":
                self.lags(fault.size)
                self.stale_until_s = now_s + fault.size
            case "receipts_repeated":
                self.repeat_receipts = True
        return None

    def _apply(self, api: str, method: str, path: str, params: Mapping[str, Any]) -> Answer:
        endpoint = endpoint_of(method, path)
        assert endpoint is not None, f"{method} {path}"
        values = Params({name: str(value) for name, value in params.items()})
        limiter = self.limiters[api]
        headers: dict[str, str] = {}
        try:
            used = limiter.charge("here", endpoint.weight_of(values))
            pressed_s = self.lender.pressed_until_s if api == "sapi" else 0.0
            if self.world.loop.now_s < max(self.pressure_until_s, pressed_s):
                used = max(used, int(limiter.plan.weight_limit * 0.9))
            headers = limiter.weight_headers(used)
            if endpoint.places_order:
                limiter.charge_order(KEY)
            document = endpoint.handler(self.sim, Call(values, KEY))
            self.sim.settle()
            return Answer(200, document, headers)
        except VenueError as error:
            return Answer(error.http_status, {"code": error.code, "msg": error.message}, headers)
        except LimitExceededError as error:
            self.banned_until_s[api] = self.world.loop.now_s + error.retry_after_s
            return limited(error.http_status, error.retry_after_s)

    def _view(self, path: str, params: Mapping[str, Any], answer: Answer) -> Answer:
        """What the read views make of it: some lag behind."""
        if answer.status != 200:
            return answer
        category, now_s = category_of("GET", path) or _CATEGORIES.get(path), self.world.loop.now_s
        if category == QUERY and self.hidden and "newClientOrderId" not in params:
            gone = {name for name, until_s in self.hidden.items() if now_s < until_s}
            if isinstance(answer.document, list):
                answer.document = [row for row in answer.document if row["clientOrderId"] not in gone]
            elif answer.document.get("clientOrderId") in gone:
                return Answer(400, {"code": -2013, "msg": "Order does not exist."}, answer.headers)
        elif category == TRADES and now_s < self.trades_lag[0]:
            answer.document = [row for row in answer.document if row["time"] <= self.trades_lag[1]]
        elif category == ACCOUNT:
            if now_s < self.stale_until_s and path in self._kept:
                answer.document = self._kept[path]
            else:
                self._kept[path] = answer.document
        elif path == "/sapi/v1/capital/withdraw/history":
            answer.document = self.world.hands.seen(answer.document)
        elif category == INCOME:
            answer.document = self._receipts(answer.document)
        return answer

    def _receipts(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        until_s, since_ms, coin = self.receipts_hidden
        if self.world.loop.now_s < until_s:
            rows = [row for row in rows if row["time"] < since_ms or coin not in row["symbol"]]
        if self.world.plan.shared_receipt_ids:
            rows = [{**row, "tranId": row["time"]} for row in rows]
        if self.repeat_receipts:
            self.repeat_receipts = False
            rows = rows + rows[-3:]
        return rows
