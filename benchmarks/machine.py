"""What the figures were measured on, and with which versions."""

import os
import platform
import sqlite3
import ssl
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("carrybot", "ccxt", "aiohttp", "websockets", "msgspec", "uvloop", "sqlalchemy", "aiosqlite")


def describe() -> dict[str, Any]:
    """Versions, processor, memory and load; the load of other processes is in every figure."""
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "sqlite": sqlite3.sqlite_version,
        "tls": ssl.OPENSSL_VERSION,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": _memory_mb(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "revision": _revision(),
    }


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _processor() -> str:
    return _field("/proc/cpuinfo", "model name") or platform.processor() or "unknown"


def _memory_mb() -> int | None:
    text = _field("/proc/meminfo", "MemTotal").split(" ")[0]
    return int(text) // 1024 if text.isdigit() else None


def _revision() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
