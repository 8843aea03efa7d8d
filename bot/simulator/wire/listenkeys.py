"""Listen keys of the private streams: made by POST, kept alive by PUT, valid for 60 minutes of wall time."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.simulator.model import Book, VenueError

VALIDITY_MS = 60 * 60_000


@dataclass(frozen=True, slots=True)
class ListenKey:
    text: str
    api_key: str
    book: Book
    expires_ms: int


class ListenKeys:
    """At most one valid key per account and book, as at the venue."""

    def __init__(self, wall_ms: Callable[[], int], stored: Iterable[Sequence[Any]] = ()) -> None:
        self._wall_ms = wall_ms
        self._keys: dict[str, ListenKey] = {}
        for text, api_key, book, expires_ms in stored:
            self._keys[text] = ListenKey(text, api_key, Book(book), expires_ms)

    def create(self, api_key: str, book: Book) -> ListenKey:
        """A new key, or the account's valid one with its validity extended."""
        for key in self._keys.values():
            if key.api_key == api_key and key.book is book and key.expires_ms > self._wall_ms():
                return self.extend(api_key, book, key.text)
        material = f"{api_key}/{book.value}/{self._wall_ms()}/{len(self._keys)}"
        text = hashlib.blake2b(material.encode(), digest_size=32).hexdigest()
        key = ListenKey(text, api_key, book, self._wall_ms() + VALIDITY_MS)
        self._keys[text] = key
        return key

    def extend(self, api_key: str, book: Book, text: str | None) -> ListenKey:
        """Raises VenueError -1125 when there is no such key; `text` None means the account's own."""
        key = self._own(api_key, book, text)
        key = replace(key, expires_ms=self._wall_ms() + VALIDITY_MS)
        self._keys[key.text] = key
        return key

    def close(self, api_key: str, book: Book, text: str | None) -> ListenKey:
        key = self._own(api_key, book, text)
        del self._keys[key.text]
        return key

    def find(self, text: str) -> ListenKey | None:
        key = self._keys.get(text)
        return key if key is not None and key.expires_ms > self._wall_ms() else None

    def valid(self) -> list[ListenKey]:
        return [key for key in self._keys.values() if key.expires_ms > self._wall_ms()]

    def drop_expired(self) -> list[ListenKey]:
        """Removes and returns the keys whose validity is over."""
        expired = [key for key in self._keys.values() if key.expires_ms <= self._wall_ms()]
        for key in expired:
            del self._keys[key.text]
        return expired

    def expire_all(self) -> int:
        """Ends every key's validity now (a fault for tests); returns how many."""
        count = len(self._keys)
        self._keys = {text: replace(key, expires_ms=0) for text, key in self._keys.items()}
        return count

    def state(self) -> list[list[Any]]:
        return [[k.text, k.api_key, k.book.value, k.expires_ms] for k in self._keys.values()]

    def _own(self, api_key: str, book: Book, text: str | None) -> ListenKey:
        for key in self.valid():
            if key.api_key == api_key and key.book is book and text in {None, key.text}:
                return key
        raise VenueError(-1125, "This listenKey does not exist.")
