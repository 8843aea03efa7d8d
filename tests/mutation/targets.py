"""What must not be wrong, and the tests that have to notice when it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Modules of one safeguard, and the tests that must notice when one of them is wrong."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = (
    Target(
        "ledger",
        (
            "bot.ledger.journal",
            "bot.ledger.postings",
            "bot.ledger.chain",
            "bot.engine.borrowing",
            "bot.engine.liquidations",
        ),
        (
            "tests/ledger",
            "tests/engine/test_engine_accepting.py",
            "tests/engine/test_engine_money.py",
            "tests/engine/test_engine_borrow.py",
            "tests/engine/test_engine_loans.py",
            "tests/engine/test_engine_liquidation.py",
            "tests/engine/test_engine_margin_wallet.py",
            "tests/engine/test_engine_owners_positions.py",
            "tests/engine/test_engine_wrong_times.py",
        ),
    ),
    Target(
        "sizing",
        ("bot.execution.plan", "bot.execution.repair", "bot.execution.drafts", "bot.execution.cash"),
        (
            "tests/execution",
            "tests/engine/test_engine_legs.py",
            "tests/engine/test_engine_opening.py",
            "tests/engine/test_engine_closing.py",
            "tests/engine/test_engine_reverse.py",
            "tests/engine/test_engine_short_of_money.py",
        ),
    ),
    Target("allocation", ("bot.strategy.allocation",), ("tests/strategy",)),
    Target("outcomes", ("bot.venues.binance.outcomes",), ("tests/venues/test_binance_outcomes.py",)),
    Target(
        "recovery",
        ("bot.engine.recovery", "bot.engine.orders", "bot.engine.comparing"),
        (
            "tests/engine/test_engine_money.py",
            "tests/engine/test_engine_comparing.py",
            "tests/engine/test_engine_margin_wallet.py",
            "tests/engine/test_engine_short_of_money.py",
            "tests/engine/test_engine_recovery.py",
            "tests/engine/test_engine_unknown_orders.py",
            "tests/engine/test_engine_order_lives.py",
            "tests/engine/test_engine_restore.py",
            "tests/engine/test_engine_legs.py",
            "tests/engine/test_engine_opening.py",
            "tests/engine/test_engine_rules.py",
            "tests/engine/test_engine_budgets.py",
        ),
    ),
)
