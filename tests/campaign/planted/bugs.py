"""All planted bugs: importing this module fills the list."""

from tests.campaign.planted import (
    bugs_books,
    bugs_figures,
    bugs_market,
    bugs_money,
    bugs_orders,
    bugs_owner,
    bugs_recovery,
    bugs_risk,
    bugs_rules,
    bugs_shell,
    bugs_streams,
    bugs_told,
)
from tests.campaign.planted.catalogue import BUGS, Planted, grown

MODULES = (
    *(bugs_orders, bugs_books, bugs_money, bugs_recovery, bugs_risk, bugs_shell, bugs_market),
    *(bugs_rules, bugs_figures, bugs_streams, bugs_owner, bugs_told),
)

__all__ = ["BUGS", "MODULES", "Planted", "grown"]
