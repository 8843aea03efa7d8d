"""What the owner must be told, how loudly and how soon; and that what keeps entries out is not forgotten.

An alarm for which nobody wakes is none: it counts only as critical, and only if it is kept beside the books. What the
books say of an extreme event (R6) or of losses (R5) holds until they say that it is over, whichever daemon reads it;
what the venue took is not entered again at once.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.campaign.rules import Rules
from tests.campaign.written import columns_of

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.store import Rows
    from tests.campaign.world import World

LOUD = {
    "ledger.difference": 8,
    "venue.unexplained": 8,
    "fill.unlisted": 8,
    "fill.unexpected": 8,
    "market.closed": 2,
    "position.taken": 2,
    "hedge.stuck": 2,
    "hedge.unknown": 2,
    "hedge.coins_gone": 2,
    "loan.recalled": 21,
    "borrow.rate_high": 21,
    "margin.beyond_liquidation": 21,
    "extreme.began": 22,
    "extreme.venue_out": 22,
    "drawdown.soft": 22,
    "drawdown.hard": 22,
    "store.failed": 20,
    "inbox.overflowed": 20,
}
"""Alarms that are critical, and the invariant that each of them belongs to."""
TOLD_S = 8.0
"""Of calm, within which the owner is told: a commit comes before it."""
COOL_MS = 47 * 3_600_000
"""What the venue took needs three good funding days to be entered again; nobody needs to count them here."""
EXTREME, RECALL = "extreme.began", "loan.recalled"
STANDING = {("R6", "active"): "an extreme event", ("R5", "level"): "losses"}
"""What of a rule's memory keeps entries out while it is not nothing."""


class Told(Rules):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._due_s: dict[tuple[str, str], float] = {}
        """(alarm, coin or nothing) -> by when the owner is told."""
        self._criticals: set[str] = set()
        """What the newest daemon has told as critical."""
        self._taken_ms: dict[tuple[str, int], int] = {}
        """(coin, direction) of which the venue closed a perpetual -> market time of the commit that says so."""
        self._standing: set[tuple[str, str]] = set()
        """What of `STANDING` the books say."""
        self._left: dict[str, Decimal] = {}
        """Hedge -> what R6 leaves of it in the event that runs."""

    def starts_anew(self) -> None:
        super().starts_anew()
        self._due_s.clear()
        self._criticals.clear()
        self._standing.clear()
        for rule, name, value in self.world.database.rows("SELECT rule, name, value FROM rule_memory"):
            self._remembers(str(rule), str(name), value)
        rows = self.world.database.rows("SELECT subject, value FROM rule_memory WHERE rule = 'R6' AND name = 'cut'")
        kept = {str(hedge) for hedge, value in rows if Decimal(str(value))}
        self._left = {hedge: left for hedge, left in self._left.items() if hedge in kept}

    def committed(self, life: "Life", rows: "Rows") -> None:
        for sql, values in rows:
            table, columns = columns_of(sql)
            if table == "rule_memory":
                row = dict(zip(columns, values, strict=True))
                self._remembers(str(row["rule"]), str(row["name"]), row["value"])
        super().committed(life, rows)

    def _remembers(self, rule: str, name: str, value: Any) -> None:
        if (rule, name) in STANDING and Decimal(str(value)):
            self._standing.add((rule, name))
        else:
            self._standing.discard((rule, name))

    def extreme_is_written(self) -> bool:
        """Whether the books say that an extreme event runs."""
        return ("R6", "active") in self._standing

    def alarmed(self, emit: Any) -> None:
        super().alarmed(emit)
        if emit.name == "hedge.quarantined":
            self.world.dies_in_quarantine()
        if emit.name in ("extreme.began", "extreme.ended"):
            self._left.clear()
        if emit.name == "risk.forced" and emit.fields["rule"] == "R6":
            hedge, left = str(emit.fields["hedge"]), Decimal(emit.fields["target_base"])
            first = self._left.setdefault(hedge, left)
            self.check(22, left >= first, f"R6 cuts {hedge} to {left} in an event that was to leave {first}")
        number = LOUD.get(emit.name)
        if number is None:
            return
        self.check(number, emit.severity == "critical", f"{emit.name} is told as {emit.severity}")
        self._criticals.add(emit.name)
        about = str(emit.fields["coin"]) if emit.name == RECALL else ""
        self._due_s.pop((emit.name, about), None)

    def core_moves(self, symbol: str, mark: Any, now_ms: int) -> None:
        super().core_moves(symbol, mark, now_ms)
        seen = self._moved_s == self._now_s and self._now_s > self.world.faulty_until_s
        if seen and not self._extreme and not self.extreme_is_written():
            self._due_s.setdefault((EXTREME, ""), self._now_s + TOLD_S)

    def _hear_recalls(self, rows: Sequence[Mapping[str, Any]]) -> None:
        super()._hear_recalls(rows)
        for coin, (first_s, _) in self._recalled.items():
            if first_s == self._now_s and -self.lent(coin) > self._gap(coin)[1]:
                self._due_s.setdefault((RECALL, coin), self._now_s + TOLD_S)

    def rules_are_obeyed(self, *, patient: bool) -> None:
        super().rules_are_obeyed(patient=patient)
        for (name, about), due_s in list(self._due_s.items()):
            if patient and name == EXTREME and self._is_calm():
                del self._due_s[name, about]
            elif patient:
                self._due_s[name, about] = max(due_s, self._now_s + 1.0)
            elif self._now_s > due_s:
                self.check(LOUD[name], False, f"{name} {about}: nobody was told".replace(" :", ":"))
                del self._due_s[name, about]

    def _is_calm(self) -> bool:
        """Whether an event is over, as one that came and went while a daemon started: nobody could decide in it."""
        calm_ms = self.world.config.limits.extreme.calm_s * 1000
        return self.world.market_ms - self._moved_ms > calm_ms

    # -- what the venue took --------------------------------------------------------------------------------

    def commanded(self, verb: str, limits: Any, coin: str) -> None:
        super().commanded(verb, limits, coin)
        if verb == "readmit":
            for key in [key for key in self._taken_ms if key[0] == coin]:
                del self._taken_ms[key]

    def _fill_row(self, row: dict[str, Any]) -> None:
        super()._fill_row(row)
        key = self._coin(str(row["instrument"])), 1 if row["side"] == "buy" else -1
        if self.is_taken(row) and not (key in self.states and self.states[key]["removed"]):
            self._taken_ms[key] = int(self.world.market_ms)

    def _allowed_now(self, opening: Sequence[Mapping[str, Any]]) -> None:
        super()._allowed_now(opening)
        names = ", ".join(str(row["client_id"]) for row in opening if row["purpose"] == "open")
        stands = [why for key, why in STANDING.items() if key in self._standing]
        self.check(22, not (names and stands), f"{names}: the books tell of {' and '.join(stands)}")
        for row in opening:
            key = self._coin(row["instrument"]), self.directions[str(row["hedge_id"])]
            if row["purpose"] == "open" and key in self._taken_ms:
                cooled = self.world.market_ms - self._taken_ms[key] > COOL_MS
                self.check(12, cooled, f"{row['client_id']} opens {key[0]}, of which the venue closed a perpetual")

    # -- the end --------------------------------------------------------------------------------------------

    def audit(self) -> None:
        super().audit()
        kept = {name for (name,) in self.world.database.rows("SELECT DISTINCT name FROM alerts")}
        self.check(20, self._criticals <= kept, f"alarms that are not kept: {sorted(self._criticals - kept)}")
