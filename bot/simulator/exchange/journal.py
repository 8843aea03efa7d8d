"""What is new or changed since it was last drained: references only, turned into rows when asked."""

from dataclasses import dataclass, field

from bot.simulator.exchange.interface import CapitalMove, JournalRecord, Transfer
from bot.simulator.exchange.rows import capital_row, income_row, loan_row, order_row, trade_row, transfer_row
from bot.simulator.model import Income, LoanEntry, Order, Trade

ORDERS, TRADES, INCOMES, TRANSFERS, LOANS = "orders", "trades", "incomes", "transfers", "loans"
CAPITAL = "capital"


@dataclass(slots=True)
class Journal:
    orders: dict[int, tuple[str, Order]] = field(default_factory=dict)
    trades: list[tuple[str, Trade]] = field(default_factory=list)
    incomes: list[tuple[str, Income]] = field(default_factory=list)
    transfers: list[tuple[str, Transfer]] = field(default_factory=list)
    loans: list[tuple[str, LoanEntry]] = field(default_factory=list)
    capital: list[tuple[str, CapitalMove]] = field(default_factory=list)

    def drain(self) -> list[JournalRecord]:
        """Each changed order once, as it is now; then trades, incomes, transfers, loans and capital, by id."""
        records = [JournalRecord(ORDERS, k, o.id, o.updated_ms, order_row(o)) for k, o in self.orders.values()]
        records += [JournalRecord(TRADES, k, t.number, t.at_ms, trade_row(t)) for k, t in self.trades]
        records += [JournalRecord(INCOMES, k, i.id, i.at_ms, income_row(i)) for k, i in self.incomes]
        records += [JournalRecord(TRANSFERS, k, t.id, t.at_ms, transfer_row(t)) for k, t in self.transfers]
        records += [JournalRecord(LOANS, k, e.id, e.at_ms, loan_row(e)) for k, e in self.loans]
        records += [JournalRecord(CAPITAL, k, c.id, c.at_ms, capital_row(c)) for k, c in self.capital]
        self.orders, self.trades, self.incomes, self.transfers = {}, [], [], []
        self.loans, self.capital = [], []
        return records
