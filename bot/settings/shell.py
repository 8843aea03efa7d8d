"""The settings that only the shell reads: venues, storage, ports, logs. Validated by `bot.settings.mirror`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr


class Adapter(StrEnum):
    BINANCE = "binance"


class LogFormat(StrEnum):
    AUTO = "auto"
    """JSON lines unless the stream is a terminal."""
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Transport:
    """Sends every connection of a venue to one place (a simulated exchange); the venue's URLs stay as they are."""

    port: int
    ca_file: Path
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Simulator:
    """The simulated exchange that `run` starts as a process of its own and stops when it stops."""

    embedded: bool = True
    speed: float = 14_400
    """Market seconds per wall second."""
    tick_ms: int = 250
    seed: int | None = None
    """None: the simulator's own seed."""
    history: Path | None = None
    """None: the table that ships with the simulator."""
    port: int = 0
    """0: any free port."""
    idle_exit_s: float = 600
    """Wall time without any client after which the process ends by itself; 0 never."""


@dataclass(frozen=True, slots=True)
class Paper:
    """An account of play money at the live market: orders are filled and charged here, nothing is sent."""

    enabled: bool = True
    cash: Decimal = Decimal(100_000)
    spot_fee: Decimal = Decimal("0.001")
    perp_maker_fee: Decimal = Decimal("0.0002")
    perp_taker_fee: Decimal = Decimal("0.0005")
    borrow_rate: float = 0.10
    """A year; the lender takes half of what a negative funding rate pays on top (`LoanModel`)."""


@dataclass(frozen=True, slots=True)
class Venue:
    """One account at one exchange."""

    adapter: Adapter
    account: str = "main"
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    transport: Transport | None = None
    simulator: Simulator | None = None
    paper: Paper | None = None

    @property
    def on_paper(self) -> bool:
        """Whether fills are simulated against the live market; then no key is needed, and none is used."""
        return self.paper is not None and self.paper.enabled

    @property
    def embedded(self) -> bool:
        """Whether the daemon brings this venue along."""
        return self.simulator is not None and self.simulator.embedded


@dataclass(frozen=True, slots=True)
class Database:
    url: str = ""
    """SQLAlchemy's form. Empty in the file; `Settings` always holds the URL in force."""


@dataclass(frozen=True, slots=True)
class Api:
    """The control port for `carrybot status`, `halt` and the like; it is guarded by a token in the data folder."""

    host: str = "127.0.0.1"
    port: int = 8471


@dataclass(frozen=True, slots=True)
class Health:
    """Where `/readyz`, `/healthz` and `/metrics` answer: a container checks itself there."""

    host: str = "127.0.0.1"
    port: int = 8470


@dataclass(frozen=True, slots=True)
class Log:
    format: LogFormat = LogFormat.AUTO
    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True)
class Tape:
    """Everything that enters the core, for `carrybot replay`; in files under the data folder."""

    size_mb: int = 256
    """All files together; 0: no tape."""


class AlertLevel(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Channel:
    """One service that alerts are sent to. `Settings` always holds the URL itself, whatever the file named."""

    url: SecretStr | None = None
    """Apprise's form; one that bears a secret stands in the environment or in a file instead."""
    url_env: str = ""
    url_file: Path | None = None
    min_severity: AlertLevel = AlertLevel.WARNING


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of the day, UTC wall time, in which lesser alerts wait. Empty times: there are none."""

    start: str = ""
    end: str = ""
    below: AlertLevel = AlertLevel.CRITICAL


@dataclass(frozen=True, slots=True)
class Alerts:
    channels: tuple[Channel, ...] = ()
    quiet_hours: QuietHours = field(default_factory=QuietHours)
    dedupe_s: float = 600
    rate_per_hour: int = 30
    heartbeat_h: float = 24
    """0: none."""


@dataclass(frozen=True, slots=True)
class Shell:
    """The top-level keys that do not concern the core."""

    venues: Mapping[str, Venue]
    database: Database = field(default_factory=Database)
    api: Api = field(default_factory=Api)
    health: Health = field(default_factory=Health)
    log: Log = field(default_factory=Log)
    alerts: Alerts = field(default_factory=Alerts)
    tape: Tape = field(default_factory=Tape)
    data_dir: Path = Path("data")
