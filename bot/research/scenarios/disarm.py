"""How a rule is disarmed for a counterfactual: limits so loose that it never acts. Nothing goes around the rules."""

from dataclasses import replace
from decimal import Decimal

from bot.domain.config import CoreConfig
from bot.research.scenarios.language import Edit

NEVER = 10**9
ENDLESS = Decimal(10) ** 9


def _limits(**edits: object) -> Edit:
    return lambda config: replace(config, limits=replace(config.limits, **edits))  # type: ignore[arg-type]


def _part(part: str, **edits: object) -> Edit:
    def edit(config: CoreConfig) -> CoreConfig:
        inner = replace(getattr(config.limits, part), **edits)
        return replace(config, limits=replace(config.limits, **{part: inner}))

    return edit


def _universe(config: CoreConfig) -> CoreConfig:
    loose = replace(
        config.universe, volume_usd_min=0, depth_usd_min=0, open_interest_usd_min=0, listing_age_days_min=0
    )
    return replace(config, universe=loose)


def _legs(config: CoreConfig) -> CoreConfig:
    return replace(config, execution=replace(config.execution, max_leg_s=NEVER, rehedges_max=NEVER))


def undisarmed(config: CoreConfig) -> CoreConfig:
    """For what no limit disarms: both runs are the same."""
    return config


def _borrow(config: CoreConfig) -> CoreConfig:
    loose = replace(config.reverse_carry, rate_max=NEVER, rate_alarm=NEVER, recall_pause_h=0)
    return replace(config, reverse_carry=loose)


OFF: dict[str, Edit] = {
    "R1": _limits(negative_funding_days=NEVER),
    "R1b": _limits(readmit_days=NEVER),
    "R1c": _part("funding_stop", share=ENDLESS),
    "R2": _limits(per_coin_cap_band=ENDLESS),
    "R3": _limits(leverage_band=ENDLESS),
    "R4": _part("spread", reduce_drawdown=ENDLESS, add_z=NEVER),
    "R5": _part("drawdown", soft=ENDLESS, hard=ENDLESS),
    "R6": _part("extreme", move=NEVER, outage_s=NEVER),
    "R7": _part("liquidation", warn=0.0, min=0.0, basis_stress=-0.99),
    "R8": _universe,
    "R9": _borrow,
    "R10": _legs,
    "R11": _limits(stale_s=NEVER),
    "R12": _limits(receipt_grace_s=NEVER),
    "R13": _limits(per_venue_cap=Decimal(1)),
    "R14": _limits(cash_rate=0.0),
    "budget": _part("budget", orders_per_hour=NEVER, fees_per_hour=ENDLESS),
}
"""Rule -> the edit. R15 has no limit: its counterfactual is that the command was not given."""

HOW = {
    "R1": "negative_funding_days without end",
    "R1b": "readmit_days without end",
    "R1c": "funding_stop.share without end",
    "R2": "per_coin_cap_band without end: drift is not trimmed",
    "R3": "leverage_band without end: drift is not reduced",
    "R4": "spread.reduce_drawdown and add_z without end",
    "R5": "drawdown.soft and hard without end",
    "R6": "extreme.move and outage_s without end",
    "R7": "liquidation.warn and min at zero, under no stress: margin is not moved either",
    "R8": "universe limits at zero",
    "R9": "reverse_carry.rate_max and rate_alarm without end, recall_pause_h at zero",
    "R10": "max_leg_s and rehedges_max without end",
    "R11": "stale_s without end",
    "R12": "receipt_grace_s without end; nothing disarms the unexplained balance, both runs are the same",
    "R13": "per_venue_cap at 1",
    "R14": "cash_rate at zero",
    "R15": "the command is not given",
    "budget": "orders_per_hour and fees_per_hour without end",
}
