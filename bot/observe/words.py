"""What an event is told with: three sentences."""

from dataclasses import dataclass

NOTHING = "Nothing needs to be done."


@dataclass(frozen=True, slots=True)
class Wording:
    """Three sentences, each ended by a full stop."""

    happened: str
    did: str
    todo: str
