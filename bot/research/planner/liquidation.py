"""Where a hedge is liquidated: one price, a table over leverage, and the leverage that survives a move.

Three accounts, each one-sided: a rise cannot liquidate the unified coin-margined hedge, a fall cannot liquidate the
perp wallet of split accounts whose spot is owned outright.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bot.domain import planning
from bot.domain.instruments import MarginTier
from bot.domain.planning import PlanError
from bot.research.planner.sheet import Figure, Sheet, SheetTable, Value, percent_text
from bot.simulator import market
from bot.simulator.market.table import FACTS_FILE
from bot.simulator.market.tiers import tiers_for

ONE = Decimal(1)
LEVERAGES = tuple(map(Decimal, ("1", "2", "3", "4", "5", "7.5", "10", "15", "20", "25")))
MOVES = tuple(map(Decimal, ("0.10", "0.20", "0.25", "0.33", "0.40", "0.50")))
NO_CAP_USD = Decimal("1e15")


@dataclass(frozen=True, slots=True)
class Unified:
    """G5: `equity` coins, `size` coins a side, on a USD loan and an inverse perp; `maintenance_rate` is m1 + m2."""

    equity: Decimal
    size: Decimal
    maintenance_rate: Decimal
    widening: Decimal = Decimal(0)
    liquidation_fee: Decimal = Decimal(0)

    rises = False

    def factor(self, top_up: Decimal = Decimal(0)) -> Decimal:
        """P/P0 at liquidation with `top_up` more coins in the account."""
        return planning.inverse_liquidation_factor(
            self.equity + top_up, self.size, self.maintenance_rate, self.widening, self.liquidation_fee
        )

    def needed(self, factor: Decimal) -> Decimal:
        """Coins of equity that put liquidation at `factor`."""
        asked = self.maintenance_rate + self.liquidation_fee
        return planning.inverse_equity_needed(factor, self.size, asked, self.widening)

    @property
    def capital(self) -> Decimal:
        return self.equity


@dataclass(frozen=True, slots=True)
class PerpWallet:
    """Split accounts' perp wallet: `wallet_usd` under a short linear perp of `notional_usd`, by its brackets."""

    wallet_usd: Decimal
    notional_usd: Decimal
    tiers: tuple[MarginTier, ...]
    widening: Decimal = Decimal(0)

    rises = True

    def factor(self, top_up: Decimal = Decimal(0)) -> Decimal:
        """P/P0 at liquidation with `top_up` more USD in the wallet."""
        wallet = self.wallet_usd + top_up
        return planning.linear_liquidation_factor(wallet, self.notional_usd, self.tiers, self.widening)

    def needed(self, factor: Decimal) -> Decimal:
        """USD of wallet that puts liquidation at `factor`."""
        return planning.linear_wallet_needed_usd(factor, self.notional_usd, self.tiers, self.widening)

    @property
    def capital(self) -> Decimal:
        return self.wallet_usd


Account = Unified | PerpWallet


def flat_tier(maintenance_rate: Decimal) -> tuple[MarginTier, ...]:
    """One bracket without an end."""
    return (MarginTier(Decimal(0), NO_CAP_USD, 1, maintenance_rate, Decimal(0)),)


def brackets(rows: Sequence[tuple[Decimal, Decimal]]) -> tuple[MarginTier, ...]:
    """Brackets from (upper notional in USD, maintenance rate), with the amounts that make them continuous.

    Raises PlanError where they do not rise.
    """
    found: list[MarginTier] = []
    floor, cumulative, before = Decimal(0), Decimal(0), Decimal(0)
    for cap, rate in rows:
        if cap <= floor or rate < before:
            raise PlanError(f"bracket {cap}:{rate} does not rise above the one before; give them in order of size")
        cumulative += floor * (rate - before)
        found.append(MarginTier(floor, cap, 1, rate, cumulative))
        floor, before = cap, rate
    return tuple(found)


def simulated_brackets(coin: str) -> tuple[MarginTier, ...]:
    """A coin's brackets at the simulated exchange, shaped like the venue's. Raises PlanError for no such coin."""
    facts = json.loads((Path(market.__file__).parent / FACTS_FILE).read_text(encoding="utf-8"))["coins"]
    volumes = {str(each["coin"]): float(each["perp_volume_usd"]) for each in facts.values()}
    if coin not in volumes:
        raise PlanError(f"{coin}: no coin of the simulated exchange; it has {', '.join(sorted(volumes))}")
    return tuple(
        MarginTier(each.floor_usd, each.cap_usd, each.leverage_max, each.maintenance_rate, each.cumulative_usd)
        for each in tiers_for(coin, volumes[coin])
    )


def liquidated_now(account: Account) -> bool:
    factor = account.factor()
    return factor <= 1 if account.rises else factor >= 1


def price(account: Account, price_usd: Decimal | None) -> Sheet:
    """The price at which the account is liquidated, and how far that is."""
    factor = account.factor()
    figures = [
        Figure("price_factor", "price at liquidation over price now", factor),
        Figure("move", "move to liquidation", factor - ONE, "signed"),
    ]
    if price_usd is not None:
        figures.append(Figure("liquidation_price_usd", "liquidation price", factor * price_usd, "usd"))
    if isinstance(account, Unified):
        leverage = account.size / account.equity
        kind = "Unified coin-margined account"
        notes = ["a rise never liquidates it: equity stays the same in coin, and what is asked for shrinks"]
    else:
        leverage = account.notional_usd / account.wallet_usd
        kind = "Perp wallet of split accounts"
        notes = ["a fall never liquidates it, nor the spot that is owned outright"]
    figures.append(Figure("leverage_one_side", "leverage, one side over equity", leverage))
    figures.append(Figure("leverage_gross", "leverage, both sides over equity", 2 * leverage))
    if liquidated_now(account):
        notes.append("it would be liquidated at once: hold a smaller hedge or more equity")
    return Sheet(f"Liquidation: {kind}", tuple(figures), notes=tuple(notes))


def unified_move(leverage: Decimal, maintenance_rate: Decimal, widening: Decimal = Decimal(0)) -> Decimal | None:
    """Fall (negative) that liquidates a unified account at `leverage` (one side); None: it cannot be held."""
    factor = planning.inverse_liquidation_factor(ONE, leverage, maintenance_rate, widening)
    return factor - ONE if factor < 1 else None


def wallet_move(leverage: Decimal, maintenance_rate: Decimal, widening: Decimal = Decimal(0)) -> Decimal | None:
    """Rise that liquidates a perp wallet with `leverage` of short notional; None: it cannot be held."""
    factor = planning.linear_liquidation_factor(ONE, leverage, flat_tier(maintenance_rate), widening)
    return factor - ONE if factor > 1 else None


def over_leverage(
    maintenance_rate: Decimal,
    perp_maintenance_rate: Decimal,
    widening: Decimal,
    leverages: Sequence[Decimal] = LEVERAGES,
) -> SheetTable:
    """Move to liquidation at each leverage (one side over equity): unified by a fall, split by a rise."""
    rows: list[dict[str, Value]] = [
        {
            "leverage_one_side": each,
            "leverage_gross": 2 * each,
            "unified_fall": unified_move(each, maintenance_rate),
            "unified_fall_widened": unified_move(each, maintenance_rate, widening),
            "split_rise": wallet_move(each, perp_maintenance_rate),
            "split_rise_widened": wallet_move(each, perp_maintenance_rate, widening),
        }
        for each in leverages
    ]
    wider = f"premium {percent_text(widening)} wider"
    columns = (
        ("leverage_one_side", "one side", "number"),
        ("leverage_gross", "gross", "number"),
        ("unified_fall", "unified: fall", "signed"),
        ("unified_fall_widened", wider, "signed"),
        ("split_rise", "split: rise", "signed"),
        ("split_rise_widened", wider, "signed"),
    )
    return SheetTable("over_leverage", "Move to liquidation over leverage", columns, tuple(rows))


def over_moves(
    maintenance_rate: Decimal, perp_maintenance_rate: Decimal, widening: Decimal, moves: Sequence[Decimal] = MOVES
) -> SheetTable:
    """Largest leverage that survives a move: unified against the fall, split against the rise."""
    rows: list[dict[str, Value]] = []
    for move in moves:
        fall = planning.leverage_surviving_fall(move, maintenance_rate)
        rows.append(
            {
                "move": move,
                "unified_one_side": fall,
                "unified_gross": 2 * fall,
                "unified_widened_one_side": planning.leverage_surviving_fall(move, maintenance_rate, widening),
                "split_one_side": planning.leverage_surviving_rise(move, perp_maintenance_rate),
                "split_widened_one_side": planning.leverage_surviving_rise(move, perp_maintenance_rate, widening),
            }
        )
    wider = f"premium {percent_text(widening)} wider"
    columns = (
        ("move", "move of ±", "percent"),
        ("unified_one_side", "unified: one side", "number"),
        ("unified_gross", "gross", "number"),
        ("unified_widened_one_side", wider, "number"),
        ("split_one_side", "split: one side", "number"),
        ("split_widened_one_side", wider, "number"),
    )
    return SheetTable("over_moves", "Largest leverage that survives a move", columns, tuple(rows))
