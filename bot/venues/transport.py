"""Where a venue's host names lead: to the internet, or all of them to one server with its own certificate.

Overriding a venue's URLs changes how client libraries behave, so the simulated exchange is reached by leaving
every URL as it is and redirecting only the connection: names resolve to `host:port`, TLS trusts `ca_file`, and
the Host header still names the venue.
"""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult


@dataclass(frozen=True, slots=True)
class Transport:
    """One server that stands for every host name; `ca_file` is the PEM certificate of its authority."""

    host: str
    port: int
    ca_file: Path

    def ssl_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


class _OneServerResolver(AbstractResolver):
    """Answers the same address and port for every name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del port, family
        return [
            ResolveResult(
                hostname=host,
                host=self._transport.host,
                port=self._transport.port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        return None


def open_session(transport: Transport | None) -> aiohttp.ClientSession:
    """An HTTP session on the internet or on the one server; the caller closes it."""
    if transport is None:
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(), ttl_dns_cache=60)
        return aiohttp.ClientSession(connector=connector, trust_env=False)
    connector = aiohttp.TCPConnector(
        resolver=_OneServerResolver(transport), ssl=transport.ssl_context(), use_dns_cache=False, limit=100
    )
    return aiohttp.ClientSession(connector=connector, trust_env=False)


def websocket_options(transport: Transport | None) -> dict[str, Any]:
    """Keyword arguments of `websockets.connect` that lead a venue's URI to the right server."""
    if transport is None:
        return {"proxy": None}
    return {
        "proxy": None,
        "host": transport.host,
        "port": transport.port,
        "ssl": transport.ssl_context(),
    }
