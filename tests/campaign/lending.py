"""The lender of one seed: what coins cost and how many there are, what it takes back, what its views show late."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.exchange.faults import FaultKind
from bot.simulator.exchange.lending import YEAR_H, worth
from tests.campaign.answers import KEY, Answer
from tests.campaign.counted import QUOTE
from tests.campaign.faults import ACCOUNT, INTEREST, LOAN_ORDER, LOANS, ORDER, QUERY, TRADES, Fault
from tests.campaign.market import HOUR_MS

if TYPE_CHECKING:
    from tests.campaign.world import World

PATH = "/sapi/v1/margin/"
CATEGORIES: Mapping[str, str] = {
    "order": QUERY,
    "openOrders": QUERY,
    "allOrders": QUERY,
    "myTrades": TRADES,
    "account": ACCOUNT,
    "interestHistory": INTEREST,
}
"""What the margin account's endpoints count as."""
LATER_H, SOON_H = 2.0, 0.25
"""A fault that needs a loan waits so long for one, and so long for one that is as large as its collateral bears."""
TIGHT = Decimal("1.62")
"""Assets for each dollar owed, up to which a cut is felt: what a loan that has shrunk leaves there is plenty."""
SPIKE_H = 12
DIES_S = 0.3
CUT_H, CUT_TOLD_S = 40, 12.0
"""How long less of the collateral counts, and by when the daemon has asked: until then market time is slow."""
NOT_LENT = {"code": -11001, "msg": "This asset is not supported."}


class Lender:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.delisted: set[str] = set()
        """Coins that have left margin trading, or are about to."""
        self.hidden: tuple[float, int] = (0.0, 0)
        """Until when interest that was charged from a market time on is not shown."""
        self.repeat = False
        self.pressed_until_s = 0.0
        """Until when the request weight of its API is nearly used up."""
        state, prices = world.exchange._state, world.market
        for coin, (rate_year, pool_usd) in world.plan.lent.items():
            rate_per_h = Decimal(f"{rate_year / YEAR_H:.10f}")
            price = prices.coins[coin].price(state.now_ms)
            world.exchange.set_lending(coin, rate_per_h, Decimal(f"{pool_usd / price:.4f}"))

    # -- faults -------------------------------------------------------------------------------------------------

    def strike(self, fault: Fault) -> None:
        """A loan's fault whose hour has come; it waits until something is owed."""
        world, state = self.world, self.world.exchange._state
        owed = sorted(state.accounts[KEY].margin.owed)
        waits = fault.kind == "haircut_cut" and not self._is_tight()
        if not owed or waits or not world.life.running:
            hour = (world.market_ms - world.market.start_ms) / HOUR_MS + (SOON_H if waits else LATER_H)
            world.plant(Fault(fault.kind, fault.on, hour, fault.how, fault.size))
            return
        coin, now_ms = owed[int(fault.at * 100) % len(owed)], state.now_ms
        rule: dict[str, Any] = {"asset": coin, "from_ms": now_ms}
        match fault.kind:
            case "haircut_cut":
                rule |= {"kind": FaultKind.COLLATERAL_RATIO.value, "asset": QUOTE, "ratio": round(fault.size, 4)}
                rule["until_ms"] = now_ms + CUT_H * HOUR_MS
                world.slow(CUT_TOLD_S)
            case "loan_rate_spike":
                rule |= {"kind": FaultKind.BORROW_RATE.value, "rate_year": fault.size}
                rule["until_ms"] = now_ms + SPIKE_H * HOUR_MS
            case "loan_pool_empty":
                rule |= {"kind": FaultKind.BORROW_LIMIT.value, "available": 0}
                rule["until_ms"] = now_ms + int(fault.size * HOUR_MS)
            case _:
                grace_ms = int(fault.size * HOUR_MS)
                rule |= {"kind": FaultKind.LOAN_RECALL.value, "grace_s": grace_ms // 1000}
                rule["until_ms"] = now_ms + grace_ms
                if fault.kind == "loan_delisted":
                    self.delisted.add(coin)
        world.exchange.faults.add([rule])
        world.fired(fault.kind)
        world.log[-1] += f"  ({fault}: {coin})"

    def tells_late_after(self, fault: Fault) -> bool:
        """The daemon dies, and the next one is not told yet of interest that was charged; it waits for a loan."""
        world, state = self.world, self.world.exchange._state
        if not state.accounts[KEY].margin.owed or not world.life.running:
            hour = (world.market_ms - world.market.start_ms) / HOUR_MS + LATER_H
            world.plant(Fault(fault.kind, fault.on, hour, fault.how, fault.size))
            return False
        world.kill(world.life, DIES_S)
        world.wire.lags(fault.size)
        self.hidden = world.loop.now_s + fault.size, state.now_ms - HOUR_MS
        return True

    def _is_tight(self) -> bool:
        state = self.world.exchange._state
        assets, owed = worth(state, state.accounts[KEY], state.now_ms)
        return assets < owed * TIGHT

    def refusal(self, params: Mapping[str, Any], fault: Fault) -> Answer | None:
        """Of an order that borrows or repays."""
        if fault.kind != "loan_refused":
            return None
        if fault.size >= 2:
            self.world.plant(Fault(fault.kind, LOAN_ORDER, 0, fault.how, fault.size - 1))
        code = int(fault.how) if params["side"] == "SELL" else -2010
        return Answer(400, {"code": code, "msg": "refused by the plan"}, {})

    # -- views --------------------------------------------------------------------------------------------------

    def note(self, fault: Fault) -> None:
        """A question about interest is answered late, or twice."""
        if fault.kind == "interest_late":
            self.world.wire.lags(fault.size)
            self.hidden = self.world.loop.now_s + fault.size, int(self.world.market_ms) - HOUR_MS
        elif fault.kind == "interest_repeated":
            self.repeat = True

    def view(self, path: str, params: Mapping[str, Any], answer: Answer) -> Answer:
        """What the margin account's endpoints show of what the exchange has."""
        name, document = path.removeprefix(PATH), answer.document
        if name == "interestHistory":
            answer.document = {**document, "rows": self._interest(document["rows"])}
        elif self.delisted and name == "next-hourly-interest-rate":
            if self.delisted.intersection(str(params["assets"]).split(",")):
                return Answer(400, NOT_LENT, answer.headers)
        elif self.delisted and name == "allPairs":
            answer.document = [row for row in document if row["base"] not in self.delisted]
        elif self.delisted and name == "crossMarginData":
            answer.document = [{**row, "borrowable": row["coin"] not in self.delisted} for row in document]
        return answer

    def _interest(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        until_s, since_ms = self.hidden
        shown = list(rows)
        if self.world.loop.now_s < until_s:
            shown = [row for row in shown if row["interestAccuredTime"] < since_ms]
        if self.repeat:
            self.repeat = False
            shown = shown[:3] + shown
        return shown

    def calm(self) -> None:
        self.hidden, self.pressed_until_s = (0.0, 0), 0.0


def category_of(method: str, path: str) -> str | None:
    """What a request to the margin account counts as; None for one that is none."""
    if not path.startswith(PATH):
        return None
    return ORDER if method == "POST" else CATEGORIES.get(path.removeprefix(PATH))


__all__ = ["LOANS", "Lender", "category_of"]
