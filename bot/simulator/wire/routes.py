"""Which venue a request is for, by its Host or, for an unknown host, by its path; and which endpoint it wants."""

from enum import StrEnum

from bot.simulator.model import Book
from bot.simulator.wire import (
    futures_account,
    futures_orders,
    futures_rest,
    margin_rest,
    sapi,
    spot_account,
    spot_rest,
)
from bot.simulator.wire.api import Endpoint, Table

CONTROL_HOST = "simulator.carrybot"
CONTROL_PREFIX = "/_sim"


class Area(StrEnum):
    SPOT = "spot"
    SAPI = "sapi"
    FUTURES = "futures"
    SPOT_STREAM = "spot_stream"
    FUTURES_STREAM = "futures_stream"
    SPOT_WSAPI = "spot_wsapi"
    FUTURES_WSAPI = "futures_wsapi"
    CONTROL = "control"


SOCKET_BOOKS = {
    Area.SPOT_STREAM: Book.SPOT,
    Area.FUTURES_STREAM: Book.PERP,
    Area.SPOT_WSAPI: Book.SPOT,
    Area.FUTURES_WSAPI: Book.PERP,
}
_PREFIXES = (
    ("/api/", Area.SPOT),
    ("/sapi/", Area.SAPI),
    ("/fapi/", Area.FUTURES),
    ("/dapi/", Area.FUTURES),
    ("/ws-api/", Area.SPOT_WSAPI),
    ("/ws-fapi/", Area.FUTURES_WSAPI),
    ("/market/", Area.FUTURES_STREAM),
    ("/public/", Area.FUTURES_STREAM),
    ("/private/", Area.FUTURES_STREAM),
)
_STREAM_HOSTS = {"stream": Area.SPOT_STREAM, "data-stream": Area.SPOT_STREAM, "fstream": Area.FUTURES_STREAM}
_TABLES: tuple[Table, ...] = (
    spot_rest.TABLE,
    spot_account.TABLE,
    sapi.TABLE,
    margin_rest.TABLE,
    futures_rest.TABLE,
    futures_orders.TABLE,
    futures_account.TABLE,
)
_ENDPOINTS: dict[tuple[str, str], Endpoint] = {key: row for table in _TABLES for key, row in table.items()}


def area_of(host: str, path: str) -> Area | None:
    """`host` may carry a port. None: neither host nor path is known."""
    name = host.partition(":")[0].lower()
    if name == CONTROL_HOST or path == CONTROL_PREFIX or path.startswith(f"{CONTROL_PREFIX}/"):
        return Area.CONTROL
    label = name.partition(".")[0]
    if label in _STREAM_HOSTS:
        return _STREAM_HOSTS[label]
    for prefix, area in _PREFIXES:
        if path.startswith(prefix):
            return area
    return Area.SPOT_STREAM if path.startswith(("/ws", "/stream")) else None


def control_path(path: str) -> str:
    return path.removeprefix(CONTROL_PREFIX) or "/"


def endpoint_of(method: str, path: str) -> Endpoint | None:
    return _ENDPOINTS.get((method, path))


def endpoint_paths() -> list[tuple[str, str]]:
    return sorted(_ENDPOINTS)
