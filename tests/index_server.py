"""A package index for tests: wheels over HTTPS, laid out as PyTorch's own, on this machine only."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import json
import ssl
import subprocess
import threading
import zipfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from packaging.utils import parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IndexServer:
    """A running index.

    ``url`` works on this machine and in containers of its engine; ``authority`` is the certificate
    to trust for it; ``asked`` are the paths of all requests so far.
    """

    url: str
    authority: Path
    asked: list[str] = field(default_factory=list)

    def projects_asked(self) -> set[str]:
        """Return the projects whose list of files was asked for."""
        parts = (path.strip("/").split("/") for path in self.asked)
        return {part[2] for part in parts if len(part) == 3 and not part[2].endswith(".whl")}


@contextmanager
def running_index(folder: Path) -> Iterator[IndexServer]:
    """Serve the wheels in ``folder`` and end it afterwards.

    As PyTorch's does, it has a page for each project that links to files beside the pages, with
    their hashes and no sizes; and it has projects that the default index has too.
    """
    host = _bridge_address()
    root = folder / "served"
    links: dict[str, list[str]] = defaultdict(list)
    for wheel in sorted(folder.glob("*.whl")):
        name = parse_wheel_filename(wheel.name)[0]
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        target = f"/whl/cpu/{quote(wheel.name)}#sha256={sha256}"
        links[name].append(f'<a href="{target}">{wheel.name}</a><br>')
        (root / "whl/cpu").mkdir(parents=True, exist_ok=True)
        (root / "whl/cpu" / wheel.name).symlink_to(wheel)
    for project, lines in links.items():
        page = root / "whl/cpu" / project / "index.html"
        page.parent.mkdir()
        page.write_text("\n".join(["<!DOCTYPE html>", *lines, ""]))
    authority, key = _certificate(folder, host)
    asked: list[str] = []
    handler = partial(_Handler, asked, directory=str(root))
    with ThreadingHTTPServer((host, 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield IndexServer(
                f"https://{host}:{server.server_address[1]}/whl/cpu", authority, asked
            )
        finally:
            server.shutdown()
            thread.join()


def write_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], *, tag: str = "py3-none-any"
) -> Path:
    """Write a wheel of a few text files and return it."""
    plain = name.replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    path = folder / f"{plain}-{version}-{tag}.whl"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": _WHEEL.format(pure="true", tag=tag),
    }
    record = "".join(f"{file},,\n" for file in (*contents, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**contents, f"{info}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, asked: list[str], *arguments: object, directory: str) -> None:
        self.asked = asked
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        del format, args


def _bridge_address() -> str:
    """Return this machine's address on the engine's own network, which containers reach, too."""
    argv = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    (config,) = (one for one in json.loads(shown) if ":" not in one["Subnet"])
    network = ipaddress.ip_network(config["Subnet"])
    return str(config.get("Gateway") or network[1])


def _certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Return a certificate for an address that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "index of a test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "index.pem", folder / "index.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
