"""Asks the running daemon over its control port, with the standard library alone: a question must be quick."""

import http.client
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bot.cli.failure import FAILED, REFUSED, UNREACHABLE, USAGE, Failure

ENDPOINT_FILE = "endpoint.json"
TOKEN_FILE = "api.token"  # noqa: S105 - a file's name
TIMEOUT_S = 30.0

_CODES = {400: USAGE, 404: USAGE, 405: USAGE, 403: REFUSED, 502: UNREACHABLE}


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where a running daemon listens."""

    host: str
    port: int
    pid: int
    token: str

    def get(self, name: str, **query: str | None) -> Any:
        """The answer's JSON. Failure when the daemon refuses; ConnectionError when it is gone."""
        chosen = {key: value for key, value in query.items() if value is not None}
        return self._call("GET", f"/v1/{name}" + (f"?{urlencode(chosen)}" if chosen else ""), None)

    def post(self, name: str, fields: Mapping[str, str]) -> Any:
        return self._call("POST", f"/v1/{name}", json.dumps(dict(fields)))

    def _call(self, method: str, path: str, body: str | None) -> Any:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        commanded = False
        try:
            connection.connect()
            commanded = method == "POST"
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}"})
            reply = connection.getresponse()
            content = json.loads(reply.read() or b"null")
            status = reply.status
        except TimeoutError:
            late = "; what it was told may still take effect" if commanded else ""
            raise Failure(
                FAILED, f"the daemon (process {self.pid}) does not answer{late}", "look at its log; is it stopped?"
            ) from None
        except ConnectionError:
            if not commanded:
                raise
            raise Failure(
                FAILED,
                f"the daemon (process {self.pid}) ended before it answered: what came of the command is not known",
                "look at `carrybot status`",
            ) from None
        except (http.client.HTTPException, ValueError):
            raise ConnectionError("what listens there is not carrybot") from None
        finally:
            connection.close()
        if status == 200:
            return content
        found = content if isinstance(content, dict) else {}
        raise Failure(
            _CODES.get(status, FAILED), str(found.get("error", f"HTTP {status}")), str(found.get("remedy", ""))
        )


def find(data_dir: Path) -> Daemon | None:
    """The daemon of a data folder when its process lives; None otherwise."""
    try:
        endpoint = json.loads((data_dir / ENDPOINT_FILE).read_text())
        token = (data_dir / TOKEN_FILE).read_text().strip()
        daemon = Daemon(str(endpoint["host"]), int(endpoint["port"]), int(endpoint["pid"]), token)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return daemon if _alive(daemon.pid) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
