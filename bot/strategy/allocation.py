"""One budget over disjoint caps, filled in order of marginal value: the exact optimum, switching rule included.

What is held ranks by what it is worth to hold; what is new by that less opening and later closing. Filled in that
order, a held hedge gives way to a new one only when the difference pays for the whole round trip.
"""

from collections.abc import Sequence

from bot.domain.config import Drift
from bot.domain.struct import struct
from bot.strategy.carry import CarryEstimate

LEAST_SHARE = 0.1
"""A hedge is not begun for less than this share of its cap: what a budget leaves over is a crumb."""
AIM_BAND = 0.02
"""Targets that differ by less than this share are the same target."""
SHED_AT, SHED_TO = 0.04, 0.03
"""What is held may drift beyond the budgets by the first share of them; then it is brought back to the second."""
GIVE_WAY_MIN = 0.25
"""A held hedge gives way to a better one by at least this share of itself, or not at all."""


@struct(frozen=True, slots=True)
class Candidate:
    """One pair as the allocator sees it; notionals in USD, `capital_factor` in USD of account per USD of notional."""

    estimate: CarryEstimate
    cap_usd: float
    held_usd: float
    aimed_usd: float
    """What an earlier decision aims at; differs from `held_usd` while a hedge is still being built or cut."""
    capital_factor: float
    may_grow: bool
    cash: float = 0.0
    """What that capital would earn as the owner's cash over the holding time, a fraction of notional (R14)."""

    @property
    def exits(self) -> bool:
        """Whether what is held is worth less than leaving it for cash."""
        return self.held_usd > 0 and self.estimate.held - self.cash < self.estimate.leaves_below

    def goal_usd(self, drift: Drift) -> float:
        """What it grows to if it may: the whole cap when it is begun or being built, a step inside the band later."""
        if self.held_usd <= 0:
            return self.cap_usd
        near = self.cap_usd * float(drift.top_up_to)
        if self.aimed_usd > self.held_usd * (1 + AIM_BAND):
            return min(self.cap_usd, max(self.aimed_usd, near))
        return near if self.held_usd < self.cap_usd * float(drift.top_up_at) else self.held_usd


@struct(frozen=True, slots=True)
class Allotment:
    """What a coin should have: target one-side notional (USD) and why."""

    venue: str
    coin: str
    target_usd: float
    reason: str


@struct(frozen=True, slots=True)
class Credit:
    """Quote currency that may be borrowed beyond own capital, and its interest over the holding time a dollar."""

    usd: float = 0.0
    cost: float = 0.0


TOO_MUCH = "the book has drifted beyond what the account bears"
NO_CREDIT = Credit()
DRIFT = Drift()


@struct(frozen=True, slots=True)
class _Piece:
    rank: float
    candidate: Candidate
    size_usd: float
    held: bool


def allocate(
    candidates: Sequence[Candidate],
    notional_budget_usd: float,
    capital_budget_usd: float,
    hurdle: float,
    credit: Credit = NO_CREDIT,
    drift: Drift = DRIFT,
) -> list[Allotment]:
    """Targets for the coins whose holding should change; a coin that is not listed stays as it is.

    What own capital does not reach may be bought on `credit`, if it is worth that interest on top of its own costs.
    """
    exits = {c.estimate.coin for c in candidates if c.exits}
    pieces = sorted(
        (piece for c in candidates if c.estimate.coin not in exits for piece in _pieces(c, hurdle, drift)),
        key=lambda piece: (-piece.rank, piece.candidate.estimate.coin),
    )
    granted: dict[str, float] = {}
    kept: dict[str, float] = {}
    notional, capital = notional_budget_usd, capital_budget_usd
    for piece in pieces:
        coin = piece.candidate.estimate.coin
        room = max(0.0, min(notional, capital / piece.candidate.capital_factor))
        if piece.held:
            size = piece.size_usd if piece.size_usd - room < GIVE_WAY_MIN * piece.size_usd else room
            if not _contested(piece, granted):
                size = piece.size_usd
            kept[coin] = size
        else:
            size = _claim(piece, room)
            granted[coin] = size
        notional -= size
        capital -= size * piece.candidate.capital_factor
    granted = _grant(
        [piece for piece in pieces if not piece.held], kept, candidates, notional_budget_usd, capital_budget_usd
    )
    _borrow(candidates, kept, granted, notional_budget_usd, capital_budget_usd, hurdle, credit, drift)
    if not any(size > 0 for size in granted.values()):
        # Nothing takes the room, so nothing gives way; what is above the budget is shed below.
        kept = {piece.candidate.estimate.coin: piece.size_usd for piece in pieces if piece.held}
        held = [piece for piece in reversed(pieces) if piece.held]
        _shed(held, kept, notional_budget_usd, capital_budget_usd + credit.usd)
    return _changes(candidates, exits, kept, granted)


def _shed(worst_first: Sequence[_Piece], kept: dict[str, float], notional: float, capital: float) -> None:
    """Prices have carried the book beyond what the account bears: a step back, the worst carry first.

    Rules R3 and R7 wait behind it with limits of their own, and cut more.
    """
    used = sum(kept[one.candidate.estimate.coin] * one.candidate.capital_factor for one in worst_first)
    if sum(kept.values()) <= (1 + SHED_AT) * notional and used <= (1 + SHED_AT) * capital:
        return
    over_notional = sum(kept.values()) - (1 + SHED_TO) * notional
    over_capital = used - (1 + SHED_TO) * capital
    for piece in worst_first:
        coin, factor = piece.candidate.estimate.coin, piece.candidate.capital_factor
        cut = min(kept[coin], max(over_notional, over_capital / factor, 0.0))
        kept[coin] -= cut
        over_notional -= cut
        over_capital -= cut * factor


def _claim(new: _Piece, room: float) -> float:
    """What it takes of the room: nothing where that would be the same target, which nobody orders or gives way to."""
    size = min(new.size_usd, room)
    return size if size > AIM_BAND * (new.candidate.held_usd + size) else 0.0


def _grant(
    new: Sequence[_Piece],
    kept: dict[str, float],
    candidates: Sequence[Candidate],
    notional: float,
    capital: float,
) -> dict[str, float]:
    """What is new gets what the kept ones leave: one that stayed for being nearly whole is not built over."""
    for candidate in candidates:
        size = kept.get(candidate.estimate.coin, 0.0)
        notional -= size
        capital -= size * candidate.capital_factor
    granted: dict[str, float] = {}
    for piece in new:
        size = _claim(piece, max(0.0, min(notional, capital / piece.candidate.capital_factor)))
        granted[piece.candidate.estimate.coin] = size
        notional -= size
        capital -= size * piece.candidate.capital_factor
    return granted


def _borrow(
    candidates: Sequence[Candidate],
    kept: dict[str, float],
    granted: dict[str, float],
    notional: float,
    capital: float,
    hurdle: float,
    credit: Credit,
    drift: Drift,
) -> None:
    """Top up what is new with borrowed money, the best first: its interest takes the place of cash as the bar."""
    owned = {c.estimate.coin: kept.get(c.estimate.coin, 0.0) + granted.get(c.estimate.coin, 0.0) for c in candidates}
    notional -= sum(owned.values())
    used = sum(owned[c.estimate.coin] * c.capital_factor for c in candidates)
    left = min(credit.usd, capital + credit.usd - used)
    for candidate in sorted(candidates, key=lambda c: -(c.estimate.new - credit.cost * c.capital_factor)):
        coin = candidate.estimate.coin
        pays = candidate.estimate.new - credit.cost * candidate.capital_factor > hurdle
        lacks = candidate.goal_usd(drift) - owned[coin]
        room = min(lacks, notional, left / candidate.capital_factor)
        if (
            candidate.may_grow
            and not candidate.exits
            and pays
            and room >= min(lacks, LEAST_SHARE * candidate.cap_usd) > 0
        ):
            granted[coin] = granted.get(coin, 0.0) + room
            notional -= room
            left -= room * candidate.capital_factor


def _pieces(candidate: Candidate, hurdle: float, drift: Drift) -> list[_Piece]:
    pieces = []
    held = candidate.held_usd
    if held > 0:
        pieces.append(_Piece(candidate.estimate.held - candidate.cash, candidate, held, held=True))
    grow = candidate.goal_usd(drift) - held
    pays = candidate.estimate.new - candidate.cash > hurdle
    if candidate.may_grow and pays and grow > 0:
        pieces.append(_Piece(candidate.estimate.instead - candidate.cash, candidate, grow, held=False))
    return pieces


def _contested(held: _Piece, granted: dict[str, float]) -> bool:
    """Whether something new took room before this held piece: only then may it give way (risk cuts, not we)."""
    return any(size > 0 for coin, size in granted.items() if coin != held.candidate.estimate.coin)


def _changes(
    candidates: Sequence[Candidate], exits: set[str], kept: dict[str, float], granted: dict[str, float]
) -> list[Allotment]:
    changes = []
    for candidate in candidates:
        venue, coin, held = candidate.estimate.venue, candidate.estimate.coin, candidate.held_usd
        if coin in exits:
            changes.append(Allotment(venue, coin, 0.0, "carry gone"))
            continue
        target = kept.get(coin, 0.0) + granted.get(coin, 0.0)
        if target < held:
            better = any(size > 0 for size in granted.values())
            changes.append(Allotment(venue, coin, target, "gives way to a better one" if better else TOO_MUCH))
        elif target > held:
            if abs(target - candidate.aimed_usd) > AIM_BAND * target:
                changes.append(Allotment(venue, coin, target, "carry pays"))
        elif candidate.aimed_usd > held * (1 + AIM_BAND):
            changes.append(Allotment(venue, coin, held, "no longer pays to enter"))
    return changes
