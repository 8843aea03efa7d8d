"""What the rules of the book ask for, worked out from what the daemon was told and the venue's own records.

A rule that is broken asks for something to be made smaller. It is judged like all that is to be repaired: by the
seconds of wall time in which nothing is done to the daemon. Market time is slow meanwhile.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, Mark
from tests.campaign.counted import LEAST_ROOM
from tests.campaign.funding_days import BY_RULE, standing
from tests.campaign.losses import Losses
from tests.campaign.market import COINS, CORE
from tests.campaign.opening import WALLETS
from tests.campaign.truth import ZERO

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.store import Rows
    from tests.campaign.world import World

MET_S = 30.0
"""By then what a rule asks for is done: a slice takes less than a second, a repair some more."""
BROKEN_ONCE_S = 1e6
STOP_SHARE = Decimal("0.0102")
"""R1c's share of notional, and a little: funding that is predicted to cost more closes the hedge."""
BANDS = Decimal("1.11"), Decimal("1.06")
"""R2's and R3's bands with one per cent of slack."""
MOVE, MOVE_MOST = 0.081, 0.35
"""R6's move of a core coin; beyond the second figure the venue liquidates, and nothing is as it should be."""
CUT = Decimal("0.9")
"""By slices to a half, as long as the event lasts: it may be over before the last of them."""
WINDOW_MS, STORM_MS = 300_000, 86_400_000
SILENT_S = 11.2
"""A feed that is silent for the configured ten seconds and a little is an extreme event."""
FROZEN_SHARE = 0.85
"""Of the configured calm: the daemon looks each half second, and so does this."""
SEEN_S = 0.6
"""Rules are looked at every half second."""


class Rules(Losses):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._by_word: set[tuple[str, int]] = set()
        """(coin, direction) that were removed or brought back for another reason than the funding days."""
        self._asked_s: dict[tuple[str, str], float] = {}
        """(rule, coin) -> since when it asks for something, in seconds in which nothing is done to the daemon."""
        self._indices: dict[str, deque[tuple[int, float]]] = {}
        self._index_s: dict[str, float] = {}
        """When each of them was last told."""
        self._moved_ms, self._moved_s = -STORM_MS, -1e9
        self._event_ms = -STORM_MS
        """When an extreme event was last told to begin or to end: in one storm nothing is cut twice."""
        self._cuts: dict[str, Decimal] = {}
        """Coin -> the most that R6 leaves of it, until that was seen."""
        self._extreme = False
        """The owner was told of an extreme event: what began it says what is cut."""
        self._silent_s = -1e9
        """When a feed was last seen to be out."""

    # -- what is told and written ---------------------------------------------------------------------------

    def committed(self, life: "Life", rows: "Rows") -> None:
        super().committed(life, rows)
        for key, row in self.states.items():
            if row["reason"] and not str(row["reason"]).startswith(BY_RULE):
                self._by_word.add(key)

    def starts_anew(self) -> None:
        super().starts_anew()
        self._indices.clear()
        self._index_s.clear()
        self._asked_s.clear()
        self._cuts.clear()
        self._silent_s = self._moved_s = -1e9

    def alarmed(self, emit: Any) -> None:
        super().alarmed(emit)
        if emit.name in ("extreme.began", "extreme.ended"):
            self._extreme = emit.name == "extreme.began"
            self._event_ms = int(self.world.market_ms)
            if self._extreme:  # what was being built has grown since the move
                self._cuts = {
                    coin: max(left, max(map(abs, self.held(coin))) * CUT) for coin, left in self._cuts.items()
                }
        if emit.name == "risk.forced":
            self._forced_for_cause(emit.fields)

    def _forced_for_cause(self, told: Mapping[str, Any]) -> None:
        """22: what a rule takes away is there. R2 and R3 have a band, which bears what prices moved meanwhile."""
        match told["rule"]:
            case "R6":
                self.check(22, told["coin"] not in CORE, f"R6 cuts a core coin: {dict(told)}")
            case "R2":
                cap, usd = self.cap_of(told["coin"], min) * self.nav(), self._worst_usd((told["coin"],))
                self.check(22, usd >= cap, f"R2 trims {told['coin']}, {usd:.0f} of {cap:.0f} are held")
            case "R3":
                ceiling, usd = min(self.ceilings) * self.nav(), self._worst_usd(COINS)
                self.check(22, usd >= ceiling, f"R3 trims, {usd:.0f} of {ceiling:.0f} are held")

    def _worst_usd(self, coins: Iterable[str]) -> Decimal:
        """What is held of these at the most that was told, by marks, or by quotes of either leg: one of them may be
        ahead of the others, and a squeeze is in the perpetual's book first."""
        return sum((self._size_of(coin) * max(self._told_prices(coin)) for coin in coins), ZERO)

    def _told_prices(self, coin: str) -> Iterable[Decimal]:
        for self.by_quotes in (True, False):
            yield self._price(coin)
        told = self.touch(f"binance:{self.world.market.coins[coin].perp.symbol}:perp")
        if told:
            yield sum(told, ZERO) / 2

    def _size_of(self, coin: str) -> Decimal:
        """The larger of both sides: one may be a slice ahead."""
        return max(map(abs, self.held(coin)))

    def core_moves(self, symbol: str, mark: Mark, now_ms: int) -> None:
        """R6: a core coin's index, as it was just told, of a moment of market time."""
        if self.closed_for_good(self.world.market.by_symbol[Book.PERP, symbol].name):
            return  # it may be listed no more
        index = float(mark.index)
        told = self._indices.setdefault(symbol, deque())
        while told and told[0][0] < now_ms - WINDOW_MS:
            told.popleft()
        if told and self._index_s.get(symbol) == self._now_s:
            told.pop()  # of two at one moment the daemon sees the later one
        told.append((now_ms, index))
        self._index_s[symbol] = self._now_s
        move = max(abs(index / other - 1) for _, other in told)
        if move < MOVE:
            return
        storm = now_ms - max(self._moved_ms, self._event_ms) < STORM_MS
        self._moved_ms, self._moved_s = now_ms, self._now_s
        if (
            not storm
            and not self._extreme
            and move < MOVE_MOST
            and not self._unread()
            and self._now_s > self.world.faulty_until_s
        ):
            held = {coin: self._size_of(coin) for coin in COINS if coin not in CORE}
            self._cuts = {coin: size * CUT for coin, size in held.items() if size > self.tradeable(coin) * 20}

    def _unread(self) -> bool:
        """Whether the account was not read since a feed was lost, as where weight is short: it is not known then."""
        return min(self.account_s.get(path, -2.0) for path in WALLETS) <= self.lost_s

    # -- what may not be opened -----------------------------------------------------------------------------

    def _allowed_now(self, opening: Sequence[Mapping[str, Any]]) -> None:
        super()._allowed_now(opening)
        if any(row["purpose"] == "open" for row in opening):
            names = ", ".join(str(row["client_id"]) for row in opening)
            calm_s = self.world.config.limits.extreme.calm_s * FROZEN_SHARE
            self.check(22, self._now_s - self._silent_s > calm_s, f"{names}: R6, a feed was out {self._silent_s:.1f}")
            since_ms = int(self.world.market_ms) - self._moved_ms
            self.opens_after_losses(names)
            frozen = self._now_s - self._moved_s > SEEN_S and 0 <= since_ms < calm_s * 1000
            self.check(22, not frozen, f"{names}: R6, a core coin moved {since_ms / 1000:.0f} s ago")

    # -- what must become smaller ---------------------------------------------------------------------------

    def rules_are_obeyed(self, *, patient: bool) -> None:
        """22: what a rule asks for is done soon."""
        if self.world.life.running and self.alive_s:
            if self._now_s - min(self.alive_s.values()) > SILENT_S:
                self._silent_s = self._now_s
            if self._now_s - self._silent_s < self.world.config.limits.extreme.calm_s:
                self.world.slow(1.0)
        patient = patient or self._unread()
        if (patient or self.short_of_weight()) and self._now_s - self._moved_s < MET_S:
            self._cuts.clear()  # R6 cuts only what answers at that moment
        # What cannot be sold cannot be made smaller.
        shut = {coin for coin in COINS if self.closed_for_good(coin) and self._size_of(coin) > self.tradeable(coin)}
        asked = {key: why for key, why in self._demands() if not shut or key[1] not in {"all", *shut}}
        for key in self._asked_s.keys() - asked.keys():
            del self._asked_s[key]
        for key, why in asked.items():
            since_s = self._asked_s.setdefault(key, self._now_s)
            if patient or (
                self._extreme and key[0] != "R6"
            ):  # the owner knows: the venue may not answer for a minute
                self._asked_s[key] = self._now_s
            late = MET_S < self._now_s - since_s < BROKEN_ONCE_S
            self.check(22, not late, f"{key[0]}, {key[1]}: {why} after {self._now_s - since_s:.0f} s of calm")
            if late:
                self._asked_s[key] = self._now_s - BROKEN_ONCE_S

    def demanding(self) -> bool:
        """Whether a rule asks for something: the daemon has seconds, and not days, to do it."""
        return any(self._now_s - since_s < BROKEN_ONCE_S for since_s in self._asked_s.values())

    def _demands(self) -> Iterator[tuple[tuple[str, str], str]]:
        total, nav = ZERO, self.nav()
        shut = self.control == "flattening"
        for coin, listed in self.world.market.coins.items():
            spot, perp = self.held(coin)
            least = self.tradeable(coin) * 2
            if max(abs(spot), abs(perp)) <= least:
                self._cuts.pop(coin, None)
                continue
            price, direction = self._price(coin), 1 if perp < 0 else -1
            total += max(abs(spot), abs(perp)) * price
            closable = abs(perp) > max(least, listed.perp.quantity_min * listed.multiplier)
            row = self.states.get((coin, direction))
            if closable and (shut or coin in self.closed or (row is not None and row["removed"])):
                yield ("R1", coin), f"{perp} are held although it is to be closed"
            mark = self.marks.get(listed.perp.symbol)
            costs = -direction * mark.predicted_rate if mark is not None else ZERO
            if closable and costs > STOP_SHARE:
                yield ("R1c", coin), f"{perp} are held, the next funding costs {costs}"
            cap = self.cap_of(coin) * nav * BANDS[0] + 15
            if coin not in self.naked_s and (usd := max(abs(spot), abs(perp)) * price) > cap + least * price:
                yield ("R2", coin), f"{usd:.0f} are held, the cap's band ends at {cap:.0f}"
            left = self._cuts.get(coin)
            if left is not None and abs(perp) <= left + least * 2:
                del self._cuts[coin]
            elif left is not None:
                yield ("R6", coin), f"{perp} are held, {left} is the most that a cut leaves"
        ceiling = max(self.ceilings)
        if total > ceiling * nav * BANDS[1] + 15:
            yield ("R3", "all"), f"{total:.0f} are held on {nav:.0f}, the ceiling is {ceiling}"
        yield from self.widened(nav)
        yield from self.lost_too_much(nav)
        rooms = {factor: self.margin_left(factor, {}) for factor in (1 + LEAST_ROOM, 1 - LEAST_ROOM)}
        for factor, room in rooms.items():
            if room < 0:
                yield ("R7", "all"), f"a move to {factor} of all marks leaves {room:.0f} of margin"
        yield from self.loans_uncovered()

    # -- the end --------------------------------------------------------------------------------------------

    def unsettled(self) -> list[tuple[int, str]]:
        """R1: what the books keep out is what the days say, where nobody else had a word."""
        found = super().unsettled()
        settled = self.world.market.settlements(0, int(self.world.market_ms))
        for coin, listed in self.world.market.coins.items():
            if self.closed_for_good(coin) or not self.trades(coin, Book.PERP):
                continue  # nobody needs to know: it is listed no more
            for direction in (1, -1):
                row = self.states.get((coin, direction))
                if row is None or (coin, direction) in self._by_word:
                    continue
                should = standing((one for one in settled if one.symbol == listed.perp.symbol), direction)
                said = bool(row["removed"]), int(row["negative_days"]), int(row["positive_days"])
                if said != (should.removed, should.negative, should.positive):
                    found.append(
                        (22, f"R1 of {coin} ({direction:+}) stands at {said} in the books, its days make {should}")
                    )
        return found
