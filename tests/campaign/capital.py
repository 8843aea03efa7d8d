"""Money that comes and goes in the oracle's own books: with a record of the venue's, or without one.

What no record explains raises an alarm, stops entries and is never booked away; its owner accepts it by its amount.
"""

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.campaign.truth import ZERO
from tests.campaign.written import Written, columns_of

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.store import Rows
    from tests.campaign.world import World

ALARM_S = 150.0
"""Three passes in a row must see the same difference, and each may be in the way of something else."""
JUST_SAID_S = 1.0
LAGGED_S = 10.0
"""Three passes that began while a view lagged have ended by then."""
KINDS = ("opening", "fill", "funding", "interest", "liquidation", "transfer", "capital")
"""Of transactions: each stands for a record of the venue's, or for the owner's word."""


Place = tuple[str, str]
"""(wallet, asset)"""


class Capital(Written):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._untold: dict[Place, Decimal] = defaultdict(Decimal)
        """What came to (or, negative, left) a wallet without a record."""
        self._given_up_usd = ZERO
        """What coins were worth that were turned into others, when the owner accepted it."""
        self._accepted: dict[Place, Decimal] = defaultdict(Decimal)
        self._since_s: dict[Place, float] = {}
        """From when on the daemon could have known."""
        self._alarms: dict[Place, tuple[float, Decimal]] = {}
        """(when, amount) of the daemon's alarms."""

    def came(self, amount: Decimal) -> None:
        """The venue's balance has changed and no record says why."""
        self._untold["spot", "USDT"] += amount

    def converted(self, coin: str, quantity: Decimal, into: str, amount: Decimal) -> None:
        """The venue has turned all of a coin in the spot wallet into another one, and no record says so."""
        self._untold["spot", coin] -= quantity
        self._untold["spot", into] += amount
        self.turned[coin] = quantity - self.own(coin)
        self.renamed.add(coin)

    def without_record(self) -> Decimal:
        """USD that came, or went, of which the venue keeps no record."""
        return self._untold["spot", "USDT"] - self._given_up_usd

    def recorded(self) -> Decimal:
        """USD that the venue recorded as the owner's: came less what went, and did not come back."""
        kept = (one for one in self._account().capital if one.id not in self.world.hands.returned)
        return sum((one.quantity - one.fee for one in kept), ZERO)

    def _unrecorded(self) -> dict[Place, Decimal]:
        """What no record explains and nobody accepted. A margin wallet that went below nothing was paid for."""
        total = defaultdict(Decimal, self._untold)
        for one in self._account().margin.entries if self.world.plan.lent else ():
            if one.kind == "INSURANCE":
                total["margin", one.asset] += one.amount
        left = {place: total[place] - self._accepted[place] for place in total}
        return {place: amount for place, amount in left.items() if amount}

    def committed(self, life: "Life", rows: "Rows") -> None:
        super().committed(life, rows)
        if self._alarms:
            written = [(table, dict(zip(columns, values, strict=True))) for (table, columns), values in _read(rows)]
            for number in [row["number"] for table, row in written if _by_word(table, row)]:
                for entry in (row for table, row in written if table == "ledger_entries" and row["number"] == number):
                    kind, _, wallet = str(entry["account"]).partition(":binance:")
                    if kind == "venue":
                        self._take_word((wallet, str(entry["asset"])), Decimal(entry["amount"]))

    def _take_word(self, place: Place, amount: Decimal) -> None:
        came = self._unrecorded().get(place, ZERO)
        self.check(8, amount == came, f"{amount} is accepted in {place}, {came} came")
        self._accepted[place] += amount
        if amount < 0 and (coin := place[1]) in self.turned:
            self._given_up_usd += self.turned.pop(coin) * self._price(coin)
        self._since_s.pop(place, None)
        self._alarms.pop(place, None)

    def starts_anew(self) -> None:
        """A new daemon has seen nothing yet."""
        self._alarms.clear()
        self._since_s.clear()

    def alarmed(self, emit: Any) -> None:
        """8: a difference raises an alert; only what came without a record is one, unless views lag just now."""
        match emit.name:
            case "ledger.difference":
                place, amount = (emit.fields["wallet"], emit.fields["asset"]), emit.fields["venue_less_ledger"]
                known = place in self._unrecorded() or self._now_s < self.world.wire.lag_until_s + LAGGED_S
                self.check(8, known, f"a difference where nothing came: {dict(emit.fields)}")
                self._alarms[place] = self._now_s, amount
            case "ledger.agrees":
                self._alarms.pop((emit.fields["wallet"], emit.fields["asset"]), None)

    def alarm_stands(self) -> bool:
        """Whether the owner was alarmed of a difference that is there."""
        return bool(self._alarms)

    def to_be_accepted(self, before_s: float) -> tuple[str, str, Decimal] | None:
        """(wallet, asset, amount) of which the owner was alarmed before then, if that is what came."""
        came = self._unrecorded() if self._alarms else {}
        for place, (at_s, amount) in self._alarms.items():
            if at_s <= before_s and came.get(place) == amount:
                return (*place, amount)
        return None

    def differs(self) -> bool:
        """Whether the owner was alarmed of a difference that stands."""
        return bool(self._alarms)

    def unexplained_stops(self, names: str) -> None:
        """8: nothing opens while a difference of which the owner was alarmed stands."""
        stands = [place for place, (at_s, _) in self._alarms.items() if self._now_s - at_s > JUST_SAID_S]
        self.check(8, not stands, f"{names} opens although the balances differ in {stands}")

    def alarm_comes(self, *, patient: bool) -> None:
        for place in self._unrecorded():
            self.world.slow(2.0)
            since_s = self._since_s.setdefault(place, self._now_s)
            if patient or place in self._alarms:
                self._since_s[place] = self._now_s
            late = self._now_s - since_s > ALARM_S
            self.check(8, not late, f"{place} has changed without a record, and nobody was told")
            if late:
                self._since_s[place] = 1e9

    def _audit_capital(self) -> None:
        """8: what is booked as the owner's is what the venue recorded, and what the owner accepted."""
        booked, accepted = ZERO, defaultdict[str, Decimal](Decimal)
        for name, kind, account, asset, amount in self.world.database.rows(
            "SELECT t.id, t.kind, e.account, e.asset, e.amount FROM ledger_transactions t "
            "JOIN ledger_entries e ON e.number = t.number WHERE t.kind NOT IN ('fill', 'funding')"
        ):
            self.check(8, kind in KINDS, f"{name} is booked as {kind}: no record of the venue's is of that kind")
            if kind == "capital" and account.startswith("venue:") and ":accepted:" in name:
                accepted[asset] += Decimal(amount)
            elif kind == "capital" and account.startswith("venue:"):
                self.check(8, asset == "USDT", f"{amount} {asset} are booked as the owner's, who moved none")
                booked += Decimal(amount)
        recorded = self.recorded()
        self.check(8, booked == recorded, f"{booked} USDT are booked as the owner's, the venue recorded {recorded}")
        ours = defaultdict[str, Decimal](Decimal)
        for (_, asset), amount in self._accepted.items():
            ours[asset] += amount
        same = {asset for asset, amount in accepted.items() if amount} == {a for a, amount in ours.items() if amount}
        same = same and all(accepted[asset] == amount for asset, amount in ours.items())
        self.check(8, same, f"{dict(accepted)} are booked as accepted, the owner accepted {dict(ours)}")


def _read(rows: "Rows") -> list[tuple[tuple[str, list[str]], list[Any]]]:
    return [(columns_of(sql), values) for sql, values in rows]


def _by_word(table: str, row: dict[str, Any]) -> bool:
    """Whether the row is a transaction that the owner's word stands for."""
    return table == "ledger_transactions" and row["kind"] == "capital" and ":accepted:" in str(row["id"])
