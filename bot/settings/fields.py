"""What every key means and which values it takes. Types and defaults stand in the dataclasses and only there.

A test holds this table against the dataclasses: each field has one entry, and each number has bounds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.config import (
    Budget,
    CoreConfig,
    DrawdownLimits,
    Drift,
    Execution,
    ExtremeLimits,
    FundingStop,
    Limits,
    Liquidation,
    ReverseCarry,
    SpreadLimits,
    StrategyConfig,
    Universe,
    Unusual,
)
from bot.settings import checks
from bot.settings.shell import (
    Alerts,
    Api,
    Channel,
    Database,
    Health,
    Log,
    Paper,
    QuietHours,
    Shell,
    Simulator,
    Tape,
    Transport,
    Venue,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`doc` is one sentence for people; bounds hold for the number or for each value of a mapping.

    `check` gets the typed value (of each item of a list), returns it, and raises ValueError with what is wrong.
    """

    doc: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    check: Callable[[Any], Any] | None = None
    secret: bool = False


def _share(doc: str) -> Rule:
    return Rule(doc, gt=0, le=1)


def _port(doc: str, ge: int = 0) -> Rule:
    return Rule(doc, ge=ge, le=65_535)


_YEAR_H = 24 * 365

RULES: Mapping[type, Mapping[str, Rule]] = {
    CoreConfig: {
        "limits": Rule("The rules of the book: what the risk manager enforces."),
        "universe": Rule("Which coins may be held at all (R8)."),
        "strategy": Rule("How carry is estimated and what is worth holding."),
        "execution": Rule("How orders are sent."),
        "strategies": Rule("The strategies in use.", check=checks.strategy),
        "reverse_carry": Rule("R9: what may be borrowed for the strategy reverse_carry, and at which rates."),
    },
    ReverseCarry: {
        "horizon_h": Rule(
            "Hours for which a negative funding rate is expected to go on; fees must be earned within them.",
            gt=0,
            le=_YEAR_H,
        ),
        "rate_max": Rule("Nothing is borrowed at more than this, a fraction a year.", gt=0, le=100),
        "rate_alarm": Rule(
            "Borrow rate a year beyond which you are told, and a hedge closes when it costs more than it brings.",
            gt=0,
            le=1_000,
        ),
        "availability_share": _share("Largest share of what can be borrowed now that is taken."),
        "terms_stale_s": Rule("Wall seconds after which the terms of a loan are not believed.", gt=0, le=86_400),
        "recall_pause_h": Rule(
            "Hours of market time after a recall in which the asset is not borrowed again.", ge=0, le=_YEAR_H
        ),
    },
    Limits: {
        "negative_funding_days": Rule(
            "R1: consecutive UTC days of negative carry after which a coin is removed and its hedge closed.",
            ge=1,
            le=365,
        ),
        "readmit_days": Rule(
            "R1b: consecutive UTC days of positive carry after which a removed coin may return.", ge=1, le=365
        ),
        "funding_stop": Rule("R1c: closes a hedge that pays too much funding in too short a time."),
        "per_coin_cap": _share("R2: the most that may be held in one coin, one side, as a share of per_coin_cap_of."),
        "per_coin_cap_of": Rule("R2: what the cap is a share of: nav, or capacity (NAV x leverage_ceiling)."),
        "per_coin_cap_overrides": Rule(
            "R2: other caps for single coins, such as {BTC: 0.2}.", gt=0, le=1, check=checks.coin
        ),
        "per_coin_cap_band": Rule(
            "R2: a hedge that drifted past its cap by more than this share of the cap is trimmed.", ge=0, le=1
        ),
        "leverage_ceiling": Rule(
            "R3: the most that all hedges together may be, one side, in multiples of NAV.", gt=0, le=10
        ),
        "leverage_band": Rule(
            "R3: leverage above the ceiling by more than this share of it is reduced, worst carry first.", ge=0, le=1
        ),
        "liquidation": Rule("R7: how far every coin may move jointly before the venue would liquidate."),
        "spread": Rule("R4: reduces a hedge whose basis widens against it, and adds to it at the turn."),
        "drawdown": Rule("R5: how far NAV may fall below its high-water mark."),
        "extreme": Rule("R6: what a violent move or a silent venue sets off."),
        "stale_s": Rule(
            "R11: wall seconds without a sign of life of a feed after which nothing is opened.", gt=0, le=600
        ),
        "receipt_grace_s": Rule(
            "R12: market seconds after a settlement by which its receipt must be there (at least 5 wall seconds).",
            gt=0,
            le=86_400,
        ),
        "per_venue_cap": _share("R13: the most of NAV that may lie at one venue for anything to be opened there."),
        "cash_rate": Rule(
            "R14: what idle cash earns elsewhere, a fraction a year; hedges that promise less are not held.",
            ge=0,
            le=1,
        ),
        "budget": Rule("Orders and fees within an hour after which nothing more is opened."),
    },
    SpreadLimits: {
        "window_h": Rule("Trailing window of the z-score in hours of market time.", ge=24, le=2_160),
        "reduce_z": Rule("First threshold: z-score of the basis from which a losing hedge is reduced.", gt=0, le=100),
        "reduce_drawdown": _share("First threshold: basis loss of the hedge since its best, as a share of NAV."),
        "reduce_step": _share("Share of the hedge that one reduction takes."),
        "cooldown_s": Rule("Market seconds between two steps.", ge=0, le=30 * 86_400),
        "add_z": Rule("Second threshold: z-score from which a turn is waited for.", gt=0, le=100),
        "add_step": _share("Share of the hedge that is added at the turn, within all caps."),
        "turn": Rule("Share of the widening that must have come back before anything is added.", gt=0, lt=1),
    },
    DrawdownLimits: {
        "soft": _share("Below the high-water mark by this share: no new entries, and hedges are reduced by a step."),
        "hard": _share("Below the high-water mark by this share: everything is closed and the daemon halts."),
        "reduce_step": _share("Share of each hedge that one reduction at the soft limit takes."),
        "cooldown_s": Rule("Market seconds between two such reductions.", ge=0, le=30 * 86_400),
    },
    ExtremeLimits: {
        "move": Rule("Move of a core coin within the window, a fraction of its price.", gt=0, lt=1),
        "window_s": Rule("Trailing window in seconds of market time.", ge=60, le=86_400),
        "outage_s": Rule(
            "Wall seconds without an answer or without a feed after which a venue is out.", ge=5, le=3_600
        ),
        "keep": Rule("Share of all but the core coins' hedges that is kept.", ge=0, le=1),
        "calm_s": Rule(
            "Seconds of calm (market time) and of health (wall time) after which the event is over.", ge=0, le=86_400
        ),
    },
    Budget: {
        "orders_per_hour": Rule("Orders sent within an hour of market time.", ge=1, le=1_000_000),
        "fees_per_hour": _share("Fees paid within an hour of market time, as a share of NAV."),
    },
    FundingStop: {
        "window_h": Rule("Trailing window in hours of market time.", gt=0, le=_YEAR_H),
        "share": _share("Funding paid within the window that closes the hedge, as a share of its notional."),
    },
    Liquidation: {
        "warn": Rule("Below this distance (a share of price) margin is moved between wallets.", gt=0, lt=1),
        "min": Rule("Below this distance both legs are reduced together.", gt=0, lt=1),
        "basis_stress": Rule("By how much the perp's premium is taken to widen in the stressed move.", ge=0, lt=1),
    },
    Universe: {
        "coins": Rule("Only these coins; an empty list means every coin that has both legs.", check=checks.coin),
        "exclude": Rule("Never these coins.", check=checks.coin),
        "core": Rule("Large coins that survive an extreme event.", check=checks.coin),
        "volume_usd_min": Rule("Smallest 24 h volume in USD.", ge=0, le=1e13),
        "depth_usd_min": Rule("Smallest depth within 10 bps of the touch in USD.", ge=0, le=1e13),
        "open_interest_usd_min": Rule("Smallest open interest of the perp in USD.", ge=0, le=1e13),
        "listing_age_days_min": Rule("Fewest days since both legs were listed.", ge=0, le=3_650),
        "volume_share_max": _share("Largest hedge as a share of either leg's 24 h volume."),
        "open_interest_share_max": _share("Largest hedge as a share of the perp's open interest."),
    },
    Drift: {
        "top_up_at": Rule("Share of its target below which a held hedge is topped up.", ge=0, le=1),
        "top_up_to": Rule("Share of its target that a top-up aims at.", ge=0, le=1),
        "trim_at": Rule("Share of R2's band beyond the cap at which a hedge is trimmed.", gt=0, le=1),
        "trim_to": Rule("Share of R2's band beyond the cap that such a trim leaves.", ge=0, le=1),
    },
    Unusual: {
        "rate_8h": Rule("Alert when the predicted rate, scaled to 8 hours, is larger, up or down.", gt=0, le=1),
        "basis": Rule("Alert when mark and index are further apart, a share of the index.", gt=0, le=1),
        "calm": Rule("Share of these below which it is usual again and may be told anew.", gt=0, le=1),
    },
    StrategyConfig: {
        "fast_half_life_h": Rule("Half-life in hours of the mean of recent rates.", gt=0, le=_YEAR_H),
        "fast_h": Rule("Hours for which the recent mean is expected to go on.", ge=0, le=_YEAR_H),
        "slow_half_life_h": Rule("Half-life in hours of the mean of older rates.", gt=0, le=_YEAR_H),
        "slow_h": Rule("Hours for which the older mean is expected on top.", ge=0, le=_YEAR_H),
        "base_rate_8h": Rule("Rate per 8 hours to which funding returns.", ge=-0.01, le=0.01),
        "base_h": Rule("Hours for which the base rate is expected on top.", ge=0, le=_YEAR_H),
        "prediction_share": Rule("Weight of the running interval's predicted rate beside settled ones.", ge=0, le=1),
        "basis_weight": Rule("What a unit of basis is worth beside expected funding.", ge=0, le=5),
        "exit_costs": Rule("How many closing costs staying must lose for a hedge to be left.", ge=0, le=10),
        "fair_basis_share": Rule(
            "Share of a coin's usual basis to which its basis is expected to return.", ge=0, le=1
        ),
        "decide_every_h": Rule("Hours of market time between decisions, beside each settlement.", gt=0, le=168),
        "history_days_min": Rule("No opinion on a coin with fewer days of settled rates.", ge=0, le=365),
        "hurdle_bps": Rule("What entering must be worth beyond its cost, in bps of notional.", ge=0, le=10_000),
        "cap_headroom": Rule("Share of a coin's cap that targets aim at.", gt=0, le=1),
        "drift": Rule("When the dollars of a hedge are brought back after prices have moved."),
        "quote_borrow_rate": Rule(
            "R14: interest on quote currency borrowed for notional beyond own cash, a fraction a year.", ge=0, le=10
        ),
        "reserve": Rule("Share of the budget that is never deployed.", ge=0, lt=1),
        "unusual": Rule("Rates and bases that set off an alert, of coins that are held or may be."),
    },
    Execution: {
        "style": Rule("taker: both legs together as limit-IOC orders with a price guard."),
        "slice_usd": Rule("Largest notional in USD, one side, that is sent at once.", gt=0, le=10_000_000),
        "depth_share": _share("Largest share of the thinner leg's depth within 10 bps that one slice may take."),
        "guard_bps": Rule("How far beyond the touch an order may reach, in bps.", gt=0, le=1_000),
        "basis_guard_bps": Rule(
            "How far the basis may have fallen since the decision for a slice still to be opened, in bps.",
            ge=0,
            le=1_000,
        ),
        "repair_guard_bps": Rule(
            "How far beyond the touch the repair of an imbalance may reach, in bps.", gt=0, le=1_000
        ),
        "max_leg_s": Rule(
            "R10: wall seconds for which the legs may be out of balance by up to a slice.", gt=0, le=60
        ),
        "rehedges_max": Rule("Attempts to complete a hedge before its filled leg is unwound.", ge=0, le=100),
        "order_timeout_s": Rule("Wall seconds after which an unanswered order counts as unknown.", gt=0, le=120),
        # At least the default: a venue may accept an order for 1.5 s after it was signed, and "not found" that is
        # believed earlier has one sent twice.
        "settle_window_s": Rule("Wall seconds for which the venue's `not found` is not believed.", ge=2, le=120),
    },
    Shell: {
        "venues": Rule("The exchange accounts by a name of your choice.", check=checks.name),
        "database": Rule("Where the books are kept."),
        "api": Rule("The local control port that the other commands use."),
        "health": Rule("The port where /readyz, /healthz and /metrics answer."),
        "log": Rule("Logging."),
        "alerts": Rule("Who is told of warnings, by which service, and how often."),
        "tape": Rule("What entered the core and what it decided, for `carrybot replay`."),
        "data_dir": Rule(
            "Folder for the books, the tape, tokens and the embedded simulator's state; CARRYBOT_DATA moves it.",
            check=checks.folder,
        ),
    },
    Venue: {
        "adapter": Rule("Which exchange this is."),
        "account": Rule("A name for the account, used in the books.", check=checks.name),
        "api_key": Rule("From the environment only.", check=checks.secret, secret=True),
        "api_secret": Rule("From the environment only.", check=checks.secret, secret=True),
        "transport": Rule("Sends every connection of this venue to a simulated exchange that runs elsewhere."),
        "simulator": Rule("A simulated exchange that `run` starts and stops."),
        "paper": Rule("An account of play money at the live market; no key is needed, nothing is sent."),
    },
    Paper: {
        "enabled": Rule("true: orders are filled here against live prices. false: the section is ignored."),
        "cash": Rule("USDT that a new account opens with; the account stays in data_dir.", ge=100, le=1_000_000_000),
        "spot_fee": Rule("Fee of a spot trade, a fraction of its value.", ge=0, lt=0.1),
        "perp_maker_fee": Rule("Fee of a perp trade that was waited for.", ge=0, lt=0.1),
        "perp_taker_fee": Rule("Fee of a perp trade that takes.", ge=0, lt=0.1),
        "borrow_rate": Rule(
            "Interest a year on borrowed coins; half of what a negative funding rate pays is added.", ge=0, le=10
        ),
    },
    Transport: {
        "port": _port("Port of the simulated exchange.", ge=1),
        "ca_file": Rule("File with the certificate of the simulated exchange's own CA (PEM).", check=checks.path),
        "host": Rule("Address of the simulated exchange.", check=checks.host),
    },
    Simulator: {
        "embedded": Rule("true: `run` starts the simulated exchange. false: the section is ignored."),
        "speed": Rule("Market seconds per wall second; 14400 passes four hours a second.", ge=1, le=1_000_000),
        "tick_ms": Rule("Wall milliseconds between two prices.", ge=10, le=60_000),
        "seed": Rule(
            "Seed of the price path between the recorded points; null: the simulator's own.", ge=0, le=2**63 - 1
        ),
        "history": Rule("Folder with other recorded history; null: the table that ships with it.", check=checks.path),
        "port": _port("Port to listen on; 0: any free one."),
        "idle_exit_s": Rule(
            "Wall seconds without a client after which it ends by itself; 0: never.", ge=0, le=86_400
        ),
    },
    Database: {
        "url": Rule(
            "SQLAlchemy URL of the database; empty: carrybot.db in data_dir. Example: sqlite:////var/lib/carrybot.db",
            check=checks.database_url,
        ),
    },
    Api: {
        "host": Rule("Loopback address to listen on.", check=checks.loopback),
        "port": _port("Port to listen on; 0: any free one."),
    },
    Health: {
        "host": Rule("Address to listen on; 0.0.0.0 inside a container that publishes the port.", check=checks.host),
        "port": _port("Port to listen on; 0: any free one."),
    },
    Alerts: {
        "channels": Rule("Services by their Apprise URLs; an entry that is plain text is a URL."),
        "quiet_hours": Rule("Hours of the day in which lesser alerts wait."),
        "dedupe_s": Rule(
            "Wall seconds within which the same alert on the same subject is counted instead of sent.",
            ge=0,
            le=86_400,
        ),
        "rate_per_hour": Rule(
            "Most messages an hour to each channel; a quarter is kept for critical ones, the rest is summed up.",
            ge=1,
            le=3_600,
        ),
        "heartbeat_h": Rule(
            "Wall hours between two messages that say all is well, to every channel; 0: none.", ge=0, le=720
        ),
    },
    Channel: {
        "url": Rule(
            "Apprise URL that bears no secret, such as json://127.0.0.1:8080/alerts.", check=checks.channel_url
        ),
        "url_env": Rule("Environment variable that holds the URL instead.", check=checks.variable),
        "url_file": Rule("File that holds the URL instead.", check=checks.path),
        "min_severity": Rule("Least severity that this channel is sent."),
    },
    QuietHours: {
        "start": Rule("When they begin, UTC, such as 22:00; empty: never.", check=checks.time_of_day),
        "end": Rule("When they end, UTC, such as 06:30.", check=checks.time_of_day),
        "below": Rule("Alerts less severe than this wait, and are summed up in one message at the end."),
    },
    Tape: {
        "size_mb": Rule(
            "Most that the files under data_dir/tape take together, in MiB; the oldest goes first; 0: no tape.",
            ge=0,
            le=1_000_000,
        ),
    },
    Log: {
        "format": Rule("auto: JSON lines unless the output is a terminal."),
        "level": Rule("Least severe level that is written."),
    },
}


def rule_of(source: type, name: str) -> Rule:
    """The rule of a dataclass's field; none without an entry, which a test does not let pass."""
    return RULES[source].get(name, Rule(""))
