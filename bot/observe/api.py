"""The control port: what the commands ask of a running daemon. Loopback, guarded by a token in the data folder.

Every answer is JSON. A refusal is `{"error": what, "remedy": what to do}` with a status that says whose fault it
is: 400 a bad request, 401 no or a wrong token, 404 no such thing, 409 not now, 503 still starting or behind.
"""

import hmac
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from bot.observe.health import listen
from bot.observe.views import View
from bot.ports import StoreError, VenueError

ENDPOINT_FILE = "endpoint.json"
BODY_BYTES_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """A request that is answered with an error."""

    status: int
    error: str
    remedy: str = ""


Ask = Callable[[Mapping[str, str]], Awaitable[View | list[View]]]
"""A question or command: gets the query's or body's fields as text."""


class ControlServer:
    """Serves questions (GET) and commands (POST) under `/v1/`. Writes the token and endpoint files."""

    def __init__(self, data_dir: Path, token_file: Path, gets: Mapping[str, Ask], posts: Mapping[str, Ask]) -> None:
        self._endpoint_file = data_dir / ENDPOINT_FILE
        self._token_file = token_file
        self._token = secrets.token_urlsafe(32)
        self._gets = gets
        self._posts = posts
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def token(self) -> str:
        """The token of this run: a secret for the log's redaction."""
        return self._token

    async def start(self, host: str, port: int, health: tuple[str, int]) -> int:
        """Listen and write the files that lead commands here; returns the port. OSError when it is taken."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        app.router.add_get("/v1/{name}", self._get)
        app.router.add_post("/v1/{name}", self._post)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        self.port = await listen(self._runner, host, port)
        write_private(self._token_file, self._token + "\n")
        endpoint = {
            "host": host,
            "port": self.port,
            "pid": os.getpid(),
            "health": {"host": health[0], "port": health[1]},
        }
        write_private(self._endpoint_file, json.dumps(endpoint) + "\n")
        return self.port

    def _files_are_ours(self) -> bool:
        """A daemon that took over has put its own in their place."""
        try:
            return bool(json.loads(self._endpoint_file.read_text())["pid"] == os.getpid())
        except (OSError, ValueError, KeyError):
            return False

    async def close(self) -> None:
        """Stop listening and remove the files."""
        if self._runner is not None:
            if self._files_are_ours():
                self._endpoint_file.unlink(missing_ok=True)
                self._token_file.unlink(missing_ok=True)
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), self._token.encode()):
            return _refuse(Refusal(401, "the token is missing or wrong", f"it is in {self._token_file}"))
        try:
            return await handler(request)
        except Refusal as refusal:
            return _refuse(refusal)
        except web.HTTPException as error:
            return _refuse(Refusal(error.status, error.reason))
        except StoreError as error:
            return _refuse(Refusal(500, str(error)))
        except VenueError as error:
            return _refuse(Refusal(502, str(error), "is the venue reachable? see `carrybot check`"))
        except BufferError:
            return _refuse(
                Refusal(503, "the daemon is behind: there is no room for this", "nothing was done; try again")
            )
        except Exception as error:  # noqa: BLE001 - the commands read JSON; anything else is nobody's answer to them
            structlog.get_logger("carrybot").error("api.failed", path=request.path, exc_info=error)
            return _refuse(
                Refusal(500, f"a defect of the daemon: {type(error).__name__}", "its log says more: report it")
            )

    async def _get(self, request: web.Request) -> web.Response:
        fields = {name: _readable(value) for name, value in request.query.items()}
        return web.json_response(await self._find(self._gets, request)(fields))

    async def _post(self, request: web.Request) -> web.Response:
        ask = self._find(self._posts, request)
        return web.json_response(await ask(await _fields(request)))

    def _find(self, table: Mapping[str, Ask], request: web.Request) -> Ask:
        name = request.match_info["name"]
        if name not in table:
            method = {True: "GET", False: "POST"}[name in self._gets]
            known = name in self._gets or name in self._posts
            remedy = f"use {method}" if known else "known: " + ", ".join(sorted({*self._gets, *self._posts}))
            raise Refusal(405 if known else 404, f"{request.method} /v1/{name} is not offered", remedy)
        return table[name]


async def _fields(request: web.Request) -> dict[str, str]:
    try:
        body = await request.text()
        found: Any = json.loads(body) if body else {}
    except (ValueError, LookupError, RecursionError):  # no JSON, an unknown charset, endless nesting
        raise Refusal(400, "the body is not JSON", 'send an object such as {"reason": "..."}') from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Refusal(400, "the body must be an object of texts", 'send an object such as {"reason": "..."}')
    return {name: _readable(value) for name, value in found.items()}


def _readable(text: str) -> str:
    """With a question mark for each byte of a terminal that does not speak UTF-8, and for half a character: no book,
    log or tape takes them, and a command must not fail for its reason."""
    return text.encode(errors="replace").decode()


def _refuse(refusal: Refusal) -> web.Response:
    body = {"error": refusal.error, **({"remedy": refusal.remedy} if refusal.remedy else {})}
    return web.json_response(body, status=refusal.status)


def write_private(path: Path, content: str) -> None:
    """Replace a file by one that only its owner can read, at once and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    part.replace(path)
