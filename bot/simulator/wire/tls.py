"""The private certificate authority: made once, kept in the state folder, so that clients keep trusting it.

The venue's names are real ones, so the private keys stay in the state folder with mode 0600 and the CA is
only ever to be given to clients of this simulator.
"""

import os
import ssl
from pathlib import Path

import trustme

HOSTS = (
    "*.binance.com",
    "binance.com",
    "*.binance.info",
    "*.binance.me",
    "*.binance.us",
    "*.binance.vision",
    "api.binance.com",
    "fapi.binance.com",
    "dapi.binance.com",
    "stream.binance.com",
    "fstream.binance.com",
    "ws-api.binance.com",
    "ws-fapi.binance.com",
    "simulator.carrybot",
    "localhost",
    "127.0.0.1",
)


def ensure_certificates(state_dir: Path) -> tuple[Path, Path]:
    """Makes CA and server certificate on first use; returns (CA certificate, server chain with key)."""
    folder = state_dir / "tls"
    ca_path, server_path = folder / "ca.pem", folder / "server.pem"
    if not (ca_path.exists() and server_path.exists()):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = trustme.CA(organization_name="carrybot simulator")
        leaf = authority.issue_cert(*HOSTS, organization_name="carrybot simulator")
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        write_atomically(server_path, leaf.private_key_pem.bytes() + chain, mode=0o600)
        write_atomically(ca_path, authority.cert_pem.bytes(), mode=0o644)
    return ca_path, server_path


def server_context(server_path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(server_path)
    return context


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Other processes see the old file or the whole new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
