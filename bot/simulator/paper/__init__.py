"""Paper trading: a venue's live market with an account whose fills, fees, margin and funding are simulated."""

from bot.simulator.paper.account import PaperTerms
from bot.simulator.paper.venue import PaperVenue

__all__ = ["PaperTerms", "PaperVenue"]
