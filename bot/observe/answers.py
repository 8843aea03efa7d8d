"""What a running daemon answers on its control port: live figures from the core, lists from the database."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Protocol

from bot.domain.actions import NavPoint
from bot.domain.events import AcceptDifference, CloseCoin, Event, Flatten, Halt, Readmit, Resume
from bot.domain.numbers import text
from bot.engine import accepting, summary
from bot.engine.explain import explain, scan
from bot.observe import explaining, health, views
from bot.observe.alerts import Announcer
from bot.observe.api import Ask, Refusal
from bot.observe.reports import Books
from bot.observe.views import View
from bot.risk.rules.r01_negative_funding import SHORT_PERP

REASON_MAX = 200
Fields = Mapping[str, str]


class Commandable(health.Running, Protocol):
    """A running daemon that takes the owner's commands."""

    def ask(self, event: Event) -> Awaitable[None]: ...


class Answers:
    """The handlers of the control port. Commands answer when their consequences are committed."""

    def __init__(
        self,
        daemon: Commandable,
        books: Books,
        announcer: Announcer,
        reload: Callable[[], Awaitable[View]] | None = None,
    ) -> None:
        self._daemon = daemon
        self._books = books
        self._announcer = announcer
        self._read_again = reload
        self._accepting = asyncio.Lock()
        """One difference at a time: what was booked meanwhile is this one."""

    def gets(self) -> dict[str, Ask]:
        return {
            "status": self._status,
            "hedges": self._hedges,
            "orders": self._orders,
            "receipts": self._receipts,
            "ledger": self._ledger,
            "pnl": self._pnl,
            "alerts": self._alerts,
            "explain": self._explain,
            "scan": self._scan,
            "verdicts": self._verdicts,
            "verdict-counts": self._verdict_counts,
        }

    def posts(self) -> dict[str, Ask]:
        return {
            "halt": self._halt,
            "resume": self._resume,
            "flatten": self._flatten,
            "close": self._close,
            "readmit": self._readmit,
            "accept": self._accept,
            "reload": self._reload,
        }

    async def _status(self, _: Fields) -> View:
        daemon, state = self._daemon, self._daemon.state
        name = summary.state_name(state) if daemon.phase == "running" else daemon.phase
        market_ms = daemon.clock.market_ms()
        nav = NavPoint(
            market_ms,
            summary.nav_usd(state),
            summary.leverage(state),
            summary.deployed_usd(state),
            summary.unhedged_usd(state),
        )
        return views.status_view(
            name,
            market_ms,
            nav,
            sum(1 for hedge in state.hedges.values() if hedge.live),
            summary.receipts_usd(state),
            self._venues(),
            {
                "control": state.control.value,
                "reason": state.wanted_reason if name in ("halted", "flattening") else "",
                "removed": sorted(
                    {one.coin for one in state.book.removals.values() if one.removed and one.direction == SHORT_PERP}
                ),
                "problems": health.problems(daemon),
            },
        )

    def _venues(self) -> list[View]:
        """Data age is that of the oldest feed: the worst one decides what may be opened."""
        worst: dict[str, float | None] = dict.fromkeys(self._daemon.state.book.ready)
        silent = set()
        for feed, age_s in health.feed_ages_s(self._daemon).items():
            venue = feed.split(":", 1)[0]
            if age_s is None:
                silent.add(venue)
            else:
                worst[venue] = max(worst.get(venue) or 0.0, round(age_s, 3))
        return [
            views.venue_view(
                venue,
                connected=venue not in silent
                and age_s is not None
                and self._daemon.state.book.ready.get(venue, False),
                data_age_s=None if venue in silent else age_s,
            )
            for venue, age_s in sorted(worst.items())
        ]

    async def _hedges(self, fields: Fields) -> list[View]:
        state = self._daemon.state
        live = {}
        for hedge in state.hedges.values():
            figures = summary.hedge_view(state, hedge)
            live[hedge.id] = views.hedge_view(
                hedge, figures.notional_usd, figures.carry_apr, figures.basis_pnl_usd, figures.marks
            )
        if fields.get("all", "") in ("", "0", "false"):
            return list(live.values())
        stored = await self._books.hedges(every=True)
        known = {view["id"] for view in stored}
        return [live.get(view["id"], view) for view in stored] + [v for k, v in live.items() if k not in known]

    async def _orders(self, fields: Fields) -> list[View]:
        return await self._books.orders(_limit(fields))

    async def _receipts(self, fields: Fields) -> list[View]:
        return await self._books.receipts(fields.get("coin"), _limit(fields))

    async def _ledger(self, _: Fields) -> View:
        return await self._books.ledger()

    async def _pnl(self, _: Fields) -> View:
        return await self._books.pnl()

    async def _alerts(self, fields: Fields) -> list[View]:
        """From the books; from memory while the database refuses to answer."""
        if self._daemon.store_error is not None:
            return [views.alert_view(alert) for alert in self._announcer.latest]
        return await self._books.alerts(_limit(fields))

    async def _verdicts(self, fields: Fields) -> list[View]:
        since_ms = _number(fields, "since_ms")
        return await self._books.verdicts(fields.get("coin"), fields.get("rule"), since_ms, _limit(fields))

    async def _verdict_counts(self, fields: Fields) -> list[View]:
        since_ms = _number(fields, "since_ms")
        return await self._books.verdict_counts(fields.get("coin"), fields.get("rule"), since_ms)

    async def _explain(self, fields: Fields) -> View:
        """One explanation for each venue that has the coin, and for each direction in which it can be held there."""
        coin = self._coin(fields)
        state, market_ms = self._daemon.state, self._daemon.clock.market_ms()
        pairs = [pair for pair in state.market.all_pairs() if pair.coin == coin]
        return {"explanations": [explaining.explanation_view(explain(state, pair), market_ms) for pair in pairs]}

    async def _scan(self, _: Fields) -> list[View]:
        return [explaining.scan_view(row) for row in scan(self._daemon.state)]

    async def _halt(self, fields: Fields) -> View:
        """Taken before it runs, too: nothing opens until it does, and then neither."""
        if self._daemon.phase != "starting":
            self._must_run()
        await self._daemon.ask(Halt(_reason(fields)))
        return self._outcome()

    async def _resume(self, fields: Fields) -> View:
        return await self._command(Resume(_reason(fields)))

    async def _flatten(self, fields: Fields) -> View:
        return await self._command(Flatten(_reason(fields)))

    async def _close(self, fields: Fields) -> View:
        coin = self._coin(fields)
        return await self._command(CloseCoin(coin, _reason(fields)), coin)

    async def _readmit(self, fields: Fields) -> View:
        coin = self._coin(fields)
        removals = self._daemon.state.book.removals.values()
        if not any(removal.coin == coin and removal.removed for removal in removals):
            raise Refusal(409, f"{coin} is not removed: there is nothing to readmit", "see `carrybot status`")
        return await self._command(Readmit(coin, _reason(fields)), coin)

    async def _accept(self, fields: Fields) -> View:
        self._must_run()
        async with self._accepting:
            event, state = self._difference(fields), self._daemon.state
            why_not, count = accepting.refusal(state, event), state.ledger.count
            if why_not is None:
                await self._daemon.ask(event)
                if not accepting.booked_since(state, event, count):  # new balances came first
                    why_not = accepting.refusal(state, event) or "it was another difference a moment ago"
            if why_not is not None:
                raise Refusal(409, why_not, "`carrybot ledger --verify` shows what differs")
        return {**self._outcome(), "accepted": text(event.amount), "asset": event.asset, "wallet": event.wallet}

    def _difference(self, fields: Fields) -> AcceptDifference:
        """What the owner means; wallet and venue may be left out where only one differs in this asset."""
        asset, given = fields.get("asset", "").strip().upper(), fields.get("amount", "").strip()
        try:
            amount = Decimal(given)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            raise Refusal(
                400, f"{given!r} is not an amount", "venue less ledger, as `carrybot ledger --verify` shows it"
            )
        venue, wallet, reason = (fields.get(name, "").strip() for name in ("venue", "wallet", "reason"))
        if not reason:
            raise Refusal(400, "why does it differ?", "say so with --reason: it is kept")
        keys = accepting.standing(self._daemon.state, asset)
        keys = [key for key in keys if venue in ("", key[0]) and wallet in ("", key[1])]
        if len(keys) > 1:
            places = ", ".join(f"{key[0]} {key[1]}" for key in sorted(keys))
            raise Refusal(400, f"{asset} differs in {places}", "say which one: --venue and --wallet")
        if not keys:
            raise Refusal(409, f"no difference in {asset or 'that'} stands for sure", "`carrybot ledger --verify`")
        return AcceptDifference(*keys[0], amount, reason[:REASON_MAX])

    async def _reload(self, _: Fields) -> View:
        if self._read_again is None:
            raise Refusal(409, "this daemon was started without a file to read again")
        self._must_run()
        view = await self._read_again()
        if view["problems"]:
            raise Refusal(400, "\n".join(view["problems"]), "nothing was changed: the old settings stay in force")
        return view

    async def _command(self, event: Event, coin: str | None = None) -> View:
        self._must_run()
        await self._daemon.ask(event)
        return self._outcome(coin)

    def _outcome(self, coin: str | None = None) -> View:
        """Where things stand after a command. Refusal where it is not durable."""
        if self._daemon.store_error is not None:
            remedy = "a restart forgets it: repair the database, then say it again"
            raise Refusal(503, f"in force, but not written down: {self._daemon.store_error}", remedy)
        state = self._daemon.state
        live = [hedge for hedge in state.hedges.values() if hedge.live and coin in (None, hedge.coin)]
        return {
            "state": summary.state_name(state),
            "control": state.control.value,
            "coin": coin,
            "hedges": len(live),
            "hedges_closing": sum(1 for hedge in live if hedge.target_base == 0),
        }

    def _must_run(self) -> None:
        """Before it runs nothing may be listed yet, and nobody handles a command; afterwards nobody does any more."""
        if self._daemon.phase != "running":
            raise Refusal(503, f"the daemon is {self._daemon.phase}", "try again in a few seconds")

    def _coin(self, fields: Fields) -> str:
        coin = fields.get("coin", "").strip().upper()
        if not coin:
            raise Refusal(400, "which coin?", 'send {"coin": "SOL"}')
        known = {pair.coin for pair in self._daemon.state.market.pairs.values()}
        if coin not in known:
            self._must_run()
            raise Refusal(404, f"{coin} is not a coin of this book", "known: " + ", ".join(sorted(known)))
        return coin


def heartbeat(daemon: health.Running) -> str:
    """One message that says how things stand."""
    state = daemon.state
    problems = health.problems(daemon)
    live = sum(1 for hedge in state.hedges.values() if hedge.live)
    facts = (
        f"state {summary.state_name(state)}, NAV {summary.nav_usd(state):,.0f} USD, {live} hedges, "
        f"deployed {summary.deployed_usd(state):,.0f} USD, unhedged {summary.unhedged_usd(state):,.0f} USD, "
        f"funding received {summary.receipts_usd(state):,.2f} USD"
    )
    return facts + (". Problems: " + "; ".join(problems) if problems else ". No problems.")


def _reason(fields: Fields) -> str:
    return fields.get("reason", "").strip()[:REASON_MAX] or "asked for by the owner"


def _limit(fields: Fields) -> int | None:
    return _number(fields, "limit", 1_000_000)


def _number(fields: Fields, name: str, below: int = 10**15) -> int | None:
    given = fields.get(name)
    if given is None:
        return None
    if not given.isdecimal() or len(given) > len(str(below)) or not 0 < int(given) < below:
        raise Refusal(400, f"{name} must be a number above 0, not {given[:20]}")
    return int(given)
