"""Orders of which the venue tells nothing for a while: no answer, no event, and every question about them fails.

Their owner, who sees one stuck, closes the coin and has the book decided anew; later he lets the coin in again.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book
from tests.campaign.commands import Command
from tests.campaign.faults import Fault
from tests.campaign.market import COINS

if TYPE_CHECKING:
    from tests.campaign.world import World

ROOM_CAPS = Decimal("1.3")
"""The book is nearly full when no more than this many coins' caps are left of it."""
BOTH_LEGS_S = 0.3
OWNER_CLOSES_S = 0.6
OWNER_DECIDES_S = 1.0
OWNER_READMITS_S = 6.0
OWNER_WAITS_S = 0.5
_QUESTIONS = {
    "/api/v3/order": Book.SPOT,
    "/api/v3/openOrders": Book.SPOT,
    "/api/v3/allOrders": Book.SPOT,
    "/api/v3/myTrades": Book.SPOT,
    "/fapi/v1/order": Book.PERP,
    "/fapi/v1/openOrders": Book.PERP,
    "/fapi/v1/allOrders": Book.PERP,
    "/fapi/v1/userTrades": Book.PERP,
}


class Unanswered:
    def __init__(self, world: "World") -> None:
        self._world = world
        self.waiting: list[Fault] = []
        self._struck: dict[str, tuple[float, Fault]] = {}
        """Coin -> when an order of it was struck last, and by what."""
        self._until_s: dict[tuple[Book, str], float] = {}

    def takes(self, path: str, params: Mapping[str, Any]) -> Fault | None:
        """The fault that strikes this order, if one waits for it; from now on nothing is told of its instrument.

        It waits for an order that opens when the ceiling leaves room for this coin alone, and strikes that of the
        other leg as well: then what is unknown counts, because nothing that is known is as large.
        """
        world, book, symbol = self._world, _QUESTIONS.get(path), str(params["symbol"])
        now_s = world.loop.now_s
        if book is None or params["side"] != ("BUY" if book is Book.SPOT else "SELL") or "reduceOnly" in params:
            return None
        coin = world.market.by_symbol[book, symbol].name
        struck = self._struck.get(coin)
        if struck is not None and now_s - struck[0] < BOTH_LEGS_S:
            self._until_s[book, symbol] = struck[0] + struck[1].size
            return struck[1]
        if not self.waiting or not self._nearly_full():
            return None
        fault = self.waiting.pop()
        world.fired(fault.kind)
        world.trouble(fault.size + 1.0)
        self._struck[coin] = now_s, fault
        self._until_s[book, symbol] = now_s + fault.size
        for delay_s, command in (
            (OWNER_CLOSES_S, Command(0, "close", coin)),
            (OWNER_DECIDES_S, Command(0, "limits_back")),
            (fault.size + OWNER_READMITS_S, Command(0, "readmit", coin)),
        ):
            world.loop.call_later(delay_s, self._owner, command)
        return fault

    def _nearly_full(self) -> bool:
        plan, oracle = self._world.plan, self._world.oracle
        held = sum(max(spot, -perp) * oracle._price(coin) for coin in COINS for spot, perp in [oracle.held(coin)])
        return held >= (plan.fullest - ROOM_CAPS * plan.per_coin_cap) * oracle.nav()

    def _owner(self, command: Command) -> None:
        """What the owner asks of a daemon that does not run now, he asks of the next; one after the other."""
        if not self._world.life.running:
            self._world.commands.insert(0, command)
        elif self._world.owner.tasks:
            self._world.loop.call_later(OWNER_WAITS_S, self._owner, command)
        else:
            self._world.owner.gives(command)

    def silences(self, method: str, path: str, params: Mapping[str, Any]) -> bool:
        """Whether this question fails. One about all instruments of a book is also about a silent one."""
        book = _QUESTIONS.get(path)
        if book is None or method != "GET" or not self._until_s:
            return False
        symbol, now_s = params.get("symbol"), self._world.loop.now_s
        return any(
            now_s < until_s and silent is book and symbol in (None, name)
            for (silent, name), until_s in self._until_s.items()
        )

    def kept_s(self, book: str, event: Mapping[str, Any]) -> float:
        """For how long a private event is still kept back."""
        if not self._until_s:
            return 0.0
        symbol = str(event["o"]["s"] if event["e"] == "ORDER_TRADE_UPDATE" else event["s"])
        return max(0.0, self._until_s.get((Book(book), symbol), 0.0) - self._world.loop.now_s)

    def calm(self) -> None:
        self.waiting.clear()
        self._until_s.clear()
