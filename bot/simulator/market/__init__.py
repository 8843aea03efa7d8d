"""The market's side of the simulated exchange: what prices, depth and funding rates are at a market time."""

from bot.simulator.market.history import SEED_DEFAULT, HistoryMarket
from bot.simulator.market.table import HistoryError, Table

__all__ = ["SEED_DEFAULT", "HistoryError", "HistoryMarket", "Table"]
