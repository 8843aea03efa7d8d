"""Transport redirection for the tests: unmodified clients with their own URLs reach a simulator on loopback."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import websockets
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.simulator.process import find_running
from bot.simulator.wire.host import Host
from bot.simulator.wire.options import SimulatorOptions

KEY, SECRET = "demo-key", "demo-secret"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def eventually(
    ask: Callable[[], Awaitable[Any]], good: Callable[[Any], bool] = bool, within_s: float = 10
) -> Any:
    """Asks until the answer is good, and returns it."""
    for _ in range(int(within_s / 0.05)):
        answer = await ask()
        if good(answer):
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {within_s} s; last answer {answer!r}")


async def drained(socket: Any, quiet_s: float = 0.3) -> list[Any]:
    """All frames until nothing came for `quiet_s`."""
    frames = []
    while True:
        try:
            frames.append(json.loads(await asyncio.wait_for(socket.recv(), quiet_s)))
        except TimeoutError:
            return frames


class Redirect(AbstractResolver):
    """Answers 127.0.0.1:PORT for every host name."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        return None


class Site:
    """A reachable simulator: its port and CA, and ways to talk to it raw."""

    def __init__(self, port: int, ca_file: Path) -> None:
        self.port = port
        self.ca_file = ca_file
        self.context = ssl.create_default_context(cafile=str(ca_file))

    def session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(resolver=Redirect(self.port), ssl=self.context)
        return aiohttp.ClientSession(connector=connector)

    async def call(
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None = None,
        *,
        signed: bool = False,
        key: str | None = None,
        secret: str = SECRET,
        timeout_s: float = 10,
    ) -> "Answer":
        query = urlencode(params or {})
        headers = {}
        if signed:
            stamp = {"timestamp": now_ms()} if "timestamp" not in (params or {}) else {}
            query = urlencode({**(params or {}), **stamp})
            query += "&signature=" + hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
            key = key or KEY
        if key:
            headers["X-MBX-APIKEY"] = key
        target = url + ("?" + query if query else "")
        async with (
            self.session() as session,
            session.request(method, target, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout_s)) as reply,
        ):
            text = await reply.text()
            with contextlib.suppress(ValueError):
                return Answer(reply.status, json.loads(text), dict(reply.headers))
            return Answer(reply.status, text, dict(reply.headers))

    async def control(self, method: str, path: str, document: Any = None) -> Any:
        async with (
            self.session() as session,
            session.request(method, f"https://simulator.carrybot{path}", json=document) as reply,
        ):
            return await reply.json()

    def socket(self, url: str, **options: Any) -> Any:
        return websockets.connect(url, host="127.0.0.1", port=self.port, ssl=self.context, proxy=None, **options)


class Answer:
    def __init__(self, status: int, body: Any, headers: dict[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def code(self) -> int | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


@contextlib.asynccontextmanager
async def running(state_dir: Path, **options: Any) -> AsyncIterator[tuple[Site, Host]]:
    """A simulator in this process, on a free port, stopped and saved at the end."""
    host = Host(SimulatorOptions(state_dir=state_dir, **{"tick_ms": 50, "speed": 60.0, **options}))
    await host.start()
    site = Site(host.port, state_dir / "tls" / "ca.pem")
    async with asyncio.TaskGroup() as tasks:
        runner = tasks.create_task(host.run())
        try:
            yield site, host
        finally:
            host.server.stopping.set()
            await runner
            await host.stop()


class Process:
    """A simulator in a process of its own, to be killed."""

    def __init__(self, state_dir: Path, *words: str) -> None:
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True)
        # A killed predecessor leaves its endpoint file behind; a new process writes its own.
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "bot.simulator", "--state", str(state_dir), "--tick-ms", "50", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.pid = self._popen.pid

    def site(self) -> Site:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = find_running(self.state_dir)
            if found is not None and found.pid == self.pid:
                return Site(found.port, found.ca_file)
            if self._popen.poll() is not None:
                break
            time.sleep(0.05)
        assert self._popen.stderr is not None
        raise AssertionError(f"no simulator: {self._popen.stderr.read().decode()}")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        self._popen.terminate()
        return self.wait()

    def wait(self) -> int:
        code = self._popen.wait(20)
        if self._popen.stderr is not None:
            self._popen.stderr.close()
        return code
