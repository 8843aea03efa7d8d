"""Money that comes and goes in the oracle's own books: with a record of the venue's, or without one.

What no record explains raises an alarm, stops entries and is never booked away; its owner accepts it by its amount.
"""

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
WALLET = "venue:binance:spot"
KINDS = ("opening", "fill", "funding", "interest", "liquidation", "transfer", "capital")
"""Of transactions: each stands for a record of the venue's, or for the owner's word."""


class Capital(Written):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._unrecorded = ZERO
        """USDT that came (or, negative, went) without a record and was not accepted yet."""
        self._accepted = ZERO
        self._since_s: float | None = None
        """From when on the daemon could have known."""
        self._alarmed: tuple[float, Decimal] | None = None
        """(when, amount) of the daemon's alarm."""

    def came(self, amount: Decimal) -> None:
        """The venue's balance has changed and no record says why."""
        self._unrecorded += amount
        self._since_s = self._now_s if self._unrecorded else None

    def committed(self, life: "Life", rows: "Rows") -> None:
        super().committed(life, rows)
        if self._unrecorded:
            written = [(table, dict(zip(columns, values, strict=True))) for (table, columns), values in _read(rows)]
            for number in [row["number"] for table, row in written if _by_word(table, row)]:
                entries = [row for table, row in written if table == "ledger_entries" and row["number"] == number]
                self._take_word(sum((Decimal(e["amount"]) for e in entries if e["account"] == WALLET), ZERO))

    def _take_word(self, amount: Decimal) -> None:
        self.check(8, amount == self._unrecorded, f"{amount} USDT are accepted, {self._unrecorded} came")
        self._accepted += amount
        self._unrecorded -= amount
        self._since_s, self._alarmed = None, None

    def starts_anew(self) -> None:
        """A new daemon has seen nothing yet."""
        self._alarmed = None
        if self._since_s is not None:
            self._since_s = self._now_s

    def alarmed(self, emit: Any) -> None:
        """8: a difference raises an alert; it may be no other than what came without a record."""
        if emit.name == "ledger.difference":
            fields = emit.fields
            known = (fields["wallet"], fields["asset"]) == ("spot", "USDT") and self._unrecorded
            self.check(8, bool(known), f"a difference where nothing came: {dict(fields)}")
            self._alarmed = self._now_s, fields["venue_less_ledger"]

    def to_be_accepted(self, before_s: float) -> Decimal | None:
        """The amount of which the owner was alarmed before then, if it is what came without a record."""
        if self._alarmed is None or self._alarmed[0] > before_s or self._alarmed[1] != self._unrecorded:
            return None
        return self._unrecorded

    def unexplained_stops(self, names: str) -> None:
        """8: nothing opens while a difference of which the owner was alarmed stands."""
        stands = self._alarmed is not None and self._now_s - self._alarmed[0] > JUST_SAID_S
        self.check(8, not stands, f"{names} opens although the balances differ: {self._alarmed}")

    def alarm_comes(self, *, patient: bool) -> None:
        if self._since_s is None:
            return
        self.world.slow(2.0)
        if self._alarmed is not None:
            return
        if patient:
            self._since_s = self._now_s
        late = self._now_s - self._since_s > ALARM_S
        self.check(8, not late, f"{self._unrecorded} USDT came without a record, and nobody was told")
        if late:
            self._since_s = None

    def _audit_capital(self) -> None:
        """8: what is booked as the owner's is what the venue recorded, and what the owner accepted."""
        booked, accepted = ZERO, ZERO
        for name, kind, account, asset, amount in self.world.database.rows(
            "SELECT t.id, t.kind, e.account, e.asset, e.amount FROM ledger_transactions t "
            "JOIN ledger_entries e ON e.number = t.number WHERE t.kind NOT IN ('fill', 'funding')"
        ):
            self.check(8, kind in KINDS, f"{name} is booked as {kind}: no record of the venue's is of that kind")
            if kind == "capital" and account.startswith("venue:") and asset == "USDT":
                if ":accepted:" in name:
                    accepted += Decimal(amount)
                else:
                    booked += Decimal(amount)
        recorded = sum((one.quantity - one.fee for one in self._account().capital), ZERO)
        self.check(8, booked == recorded, f"{booked} USDT are booked as the owner's, the venue recorded {recorded}")
        told = f"{accepted} USDT are booked as accepted, the owner accepted {self._accepted}"
        self.check(8, accepted == self._accepted, told)


def _read(rows: "Rows") -> list[tuple[tuple[str, list[str]], list[Any]]]:
    return [(columns_of(sql), values) for sql, values in rows]


def _by_word(table: str, row: dict[str, Any]) -> bool:
    """Whether the row is a transaction that the owner's word stands for."""
    return table == "ledger_transactions" and row["kind"] == "capital" and ":accepted:" in str(row["id"])
