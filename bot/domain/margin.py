"""Maintenance margin and liquidation distance of a perp wallet in a split account.

Wallet margin M and short notional N per price p: a joint rise of all coins by x, with the perp's premium widened
by b, leaves M - sum(N) * ((1 + x)(1 + b) - 1) and asks for sum(N) * (1 + x)(1 + b) * m, where m is each coin's
maintenance rate. The tiers' rates rise with size, so m is taken at the stressed notional.
"""

from collections.abc import Sequence

from bot.domain.instruments import MarginTier
from bot.domain.struct import struct

DEFAULT_RATE = 0.025
"""Maintenance rate of an instrument whose tiers are not known: a small coin's at Binance."""
SEARCH_STEP = 1e-4
"""How far below the true distance the one that is found may be."""


@struct(frozen=True, slots=True)
class ShortPosition:
    """One perp position: signed notional (USD, short is negative) and the venue's tiers for it."""

    notional_usd: float
    tiers: tuple[MarginTier, ...]


def maintenance_usd(notional_usd: float, tiers: Sequence[MarginTier]) -> float:
    """Maintenance margin of a position of this absolute notional, by the venue's brackets."""
    rate, cumulative = DEFAULT_RATE, 0.0
    for tier in tiers:
        cap, rate, cumulative = tier.floats
        if notional_usd <= cap:
            break
    return max(0.0, notional_usd * rate - cumulative)


def buffer_usd(margin_usd: float, positions: Sequence[ShortPosition], move: float, basis_stress: float) -> float:
    """Margin balance less maintenance after a joint price move (fraction) with the basis widened against us."""
    left = margin_usd
    for position in positions:
        widened = 1 + basis_stress if position.notional_usd < 0 else 1 - basis_stress
        factor = (1 + move) * widened
        left += position.notional_usd * (factor - 1)
        left -= maintenance_usd(abs(position.notional_usd) * factor, position.tiers)
    return left


def liquidation_distance(
    margin_usd: float, positions: Sequence[ShortPosition], basis_stress: float, limit: float = 4.0
) -> float:
    """Smallest joint move, up or down, that brings the wallet to maintenance (0.25 is 25 %); `limit` if none does.

    The buffer is concave in the move (maintenance rises the faster the larger the position), so that it crosses
    zero at most once on either side of the present price and bisection finds it to `SEARCH_STEP`.
    """
    if not positions:
        return limit
    if buffer_usd(margin_usd, positions, 0.0, basis_stress) <= 0:
        return 0.0
    return min(
        _bisect(margin_usd, positions, basis_stress, limit),
        -_bisect(margin_usd, positions, basis_stress, -0.999),
    )


def survives(margin_usd: float, positions: Sequence[ShortPosition], move: float, basis_stress: float) -> bool:
    """Whether the wallet stays above maintenance through a joint move of this size, up and down.

    The same answer as comparing `liquidation_distance` with the move, for two evaluations instead of twenty.
    """
    # A book of shorts loses by a rise alone: what survives it survives the rest.
    moves: tuple[float, ...] = (0.0, move, -move)
    if all(position.notional_usd < 0 for position in positions):
        moves = (move,)
    return all(buffer_usd(margin_usd, positions, signed, basis_stress) > 0 for signed in moves)


def _bisect(margin_usd: float, positions: Sequence[ShortPosition], basis_stress: float, far: float) -> float:
    if buffer_usd(margin_usd, positions, far, basis_stress) > 0:
        return 4.0 if far > 0 else -4.0
    safe, gone = 0.0, far
    while abs(gone - safe) > SEARCH_STEP:
        middle = (safe + gone) / 2
        if buffer_usd(margin_usd, positions, middle, basis_stress) > 0:
            safe = middle
        else:
            gone = middle
    return safe


def margin_needed_usd(positions: Sequence[ShortPosition], distance: float, basis_stress: float) -> float:
    """Wallet margin with which a book is `distance` away from maintenance, whichever way all prices go."""
    return max(-buffer_usd(0.0, positions, move, basis_stress) for move in (distance, -distance))
