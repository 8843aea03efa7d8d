"""What can happen in a scenario besides prices: the owner's commands, the venue's faults, other people's hands."""

from decimal import Decimal

from bot.domain.events import CapitalMoved, Event, Reconfigure
from bot.research.direct import KEY, VENUE
from bot.research.scenarios.language import Edit, Happening, When
from bot.research.scenarios.session import StagedSession
from bot.simulator.exchange.faults import FaultRule
from bot.simulator.model import Book, OrderRequest, OrderType, Side, TimeInForce


def command(at: When, event: Event, *, skip_off: bool = False) -> Happening:
    """The owner's word."""
    return Happening(at, type(event).__name__.lower(), lambda session: session.tell(event), skip_off)


def edit(at: When, change: Edit, text: str) -> Happening:
    """The owner edits the YAML."""
    return Happening(at, text, lambda session: session.tell(Reconfigure(change(session.state.config))))


def restart(at: When) -> Happening:
    return Happening(at, "the daemon is killed and started again", lambda session: session.restart())


def fault(at: When, until: When, **conditions: object) -> tuple[Happening, Happening]:
    """Conditions of the venue for a while: see `venue.Conditions`."""
    before: dict[str, object] = {}

    def begin(session: StagedSession) -> None:
        for name, value in conditions.items():
            before[name] = getattr(session.now, name)
            setattr(session.now, name, value)

    def end(session: StagedSession) -> None:
        for name, value in before.items():
            setattr(session.now, name, value)
        session.staged.refresh()

    what = ", ".join(f"{name} {_shown(value)}" for name, value in conditions.items())
    return Happening(at, what, begin), Happening(until, f"{what}: over", end)


def _shown(value: object) -> str:
    return " and ".join(sorted(value)) if isinstance(value, set) else str(value)


def refuse(at: When, until: When, book: Book, symbol: str) -> tuple[Happening, Happening]:
    """The venue refuses a symbol's orders for a while."""
    rule: dict[str, object] = {"kind": "reject", "book": book.value, "symbol": symbol, "code": -1008}
    return _rule(at, until, rule, f"{symbol} {book.value} refuses orders")


def recall(at: When, until: When, asset: str, grace_s: int) -> tuple[Happening, Happening]:
    """The lender wants its coins back within `grace_s` of market time, or the venue buys them itself."""
    return _rule(at, until, {"kind": "loan_recall", "asset": asset, "grace_s": grace_s}, f"{asset} is recalled")


def borrow_rate(at: When, until: When, asset: str, rate_year: float) -> tuple[Happening, Happening]:
    """Borrowing costs this much a year for a while."""
    rule: dict[str, object] = {"kind": "borrow_rate", "asset": asset, "rate_year": rate_year}
    return _rule(at, until, rule, f"borrowing {asset} costs {rate_year:.0%} a year")


def _rule(at: When, until: When, rule: dict[str, object], text: str) -> tuple[Happening, Happening]:
    """A fault of the simulated exchange's own, in force for a while."""
    added: list[FaultRule] = []

    def begin(session: StagedSession) -> None:
        added.extend(session.exchange.faults.add([rule]))

    def end(session: StagedSession) -> None:
        session.exchange.faults.clear([one.id for one in added])
        added.clear()

    return Happening(at, text, begin), Happening(until, f"{text}: over", end)


def withdraw(at: When, usd: Decimal) -> Happening:
    """The owner takes money out of the spot wallet, by the venue's own record."""

    def do(session: StagedSession) -> None:
        session.exchange.move_capital(KEY, "USDT", -usd, Decimal(0), session.market_ms)
        session.tell(CapitalMoved(VENUE, "spot", "USDT", -usd, "withdrawal-1", session.market_ms))

    return Happening(at, f"{usd:f} USDT withdrawn", do)


def by_hand(at: When, usd: Decimal, source: Book, target: Book, *, explained: bool = False) -> Happening:
    """Somebody moves money between the wallets on the venue's own page; the books know nothing of it."""

    def do(session: StagedSession) -> None:
        session.exchange.transfer(KEY, "USDT", usd, source, target, session.market_ms)
        session.foreign = not explained

    return Happening(at, f"{usd:f} USDT moved by hand from {source.value} to {target.value}", do)


def deleverage(at: When, symbol: str) -> Happening:
    """The venue closes our short against its will: automatic deleveraging, by an order of its own at the market."""

    def do(session: StagedSession) -> None:
        held = next((one.quantity for one in session.exchange.positions(KEY) if one.symbol == symbol), Decimal(0))
        if held < 0:
            session.exchange.place(KEY, _taking(symbol, -held), session.market_ms)
            session.inbox.extend(session.staged.taken(symbol))
            session.drain()

    return Happening(at, f"{symbol}: the short is deleveraged", do)


def _taking(symbol: str, quantity: Decimal) -> OrderRequest:
    return OrderRequest(
        Book.PERP, symbol, Side.BUY, OrderType.MARKET, TimeInForce.IOC, quantity, None, True, "adl_autoclose"
    )
