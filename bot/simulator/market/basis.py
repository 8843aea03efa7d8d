"""The premium of a perpetual over its index that goes with a funding rate: the spot of coins without one.

Binance settles rate = P + clamp(0.01 % - P, +-0.05 %) per eight hours, P the average premium of the
interval (scaled by hours / 8 for shorter intervals). Read backwards, a rate above the 0.01 % base means a
premium about 5 bps above the rate, one below it a premium about 5 bps under the rate, and the base itself any
premium between -4 and +6 bps. The constants are means and standard deviations of (recorded premium - rate)
over the nine coins of the embedded window that have a recorded spot and that base rate.
"""

import hashlib
import math

BASE_RATE_8H_BPS = 1.0
ABOVE_BPS = (5.6, 2.4)
BELOW_BPS = (-5.7, 2.2)
AT_BASE_BPS = (-1.0, 4.4)
NOISE_CLIP_SIGMAS = 2.5


def normal(*key: object) -> float:
    """A standard normal number that depends on the key alone (Box-Muller on a BLAKE2 hash)."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=16).digest()
    first = (int.from_bytes(digest[:8], "big") + 1) / 2**64
    second = int.from_bytes(digest[8:], "big") / 2**64
    return math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)


def modelled_basis_bps(rate: float, interval_s: int, symbol: str, at_ms: int) -> float:
    """Premium in bps for the rate (fraction per interval) of the funding interval that contains `at_ms`."""
    rate_bps = rate * 1e4 * 28_800 / interval_s
    if abs(rate_bps - BASE_RATE_8H_BPS) < 1e-3:
        mean, spread = AT_BASE_BPS
    else:
        offset, spread = ABOVE_BPS if rate_bps > BASE_RATE_8H_BPS else BELOW_BPS
        mean = rate_bps + offset
    noise = normal("modelled-basis", symbol, at_ms)
    return mean + spread * max(-NOISE_CLIP_SIGMAS, min(NOISE_CLIP_SIGMAS, noise))
