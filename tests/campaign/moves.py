"""Moves of margin between the wallets: committed first, asked for once, booked once, and as what they are."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.campaign.capital import Capital

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.store import Rows
    from tests.campaign.world import World

from tests.campaign.written import columns_of

ROUTES = {
    "MAIN_UMFUTURE": ("spot", "perp"),
    "UMFUTURE_MAIN": ("perp", "spot"),
    "MAIN_MARGIN": ("spot", "margin"),
    "MARGIN_MAIN": ("margin", "spot"),
}
Move = tuple[str, Decimal, tuple[str, str]]
"""(asset, amount, (from, to))"""


class Moves(Capital):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._decided: list[Move] = []
        """Committed, and not asked for yet."""

    def committed(self, life: "Life", rows: "Rows") -> None:
        super().committed(life, rows)
        for sql, values in rows:
            table, columns = columns_of(sql)
            if table == "transfers":
                row = dict(zip(columns, values, strict=True))
                move = str(row["asset"]), Decimal(row["amount"]), (str(row["source"]), str(row["target"]))
                self._decided.append(move)

    def moves(self, params: Mapping[str, Any]) -> None:
        """3: money is moved between wallets only after that was committed, and once."""
        move = str(params["asset"]), Decimal(str(params["amount"])), ROUTES[str(params["type"])]
        known = move in self._decided
        self.check(3, known, f"{move} is asked for and was not committed, or a second time")
        if known:
            self._decided.remove(move)

    def _audit_moves(self) -> None:
        """8: each move of the daemon's is booked once, and as a transfer; the owner's own are the owner's."""
        account, rows = self._account(), self.world.database.rows
        lent = [one for one in account.margin.entries if one.kind == "TRANSFER"]
        by_hand = self.world.hands.moves
        made = sorted(str(one.id) for one in (*account.transfers, *lent) if str(one.id) not in by_hand)
        ids = rows("SELECT id FROM ledger_transactions WHERE kind = 'transfer'")
        booked = sorted(str(name).rsplit(":", 1)[1] for (name,) in ids)
        self.check(8, booked == made, f"moves {booked} are booked, made were {made}")
