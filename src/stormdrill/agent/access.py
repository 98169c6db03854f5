"""Where the API server is and who we are there: the pod's service account, or a kubeconfig.

Not through `stormdrill.kube`: its client costs an agent on every node 60 MB, and cannot mark its sockets.
"""

from __future__ import annotations

import base64
import binascii
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stormdrill.errors import InputError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass
class Access:
    """A way to one API server. The address is kept: a name cannot be asked for once the node is cut."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    server_name: str = ""
    token_file: Path | None = None
    token: str = ""
    _known: list[tuple[str, int]] = field(default_factory=list)

    def addresses(self) -> list[tuple[str, int]]:
        """Address and port to connect to, as first resolved. OSError when the name is not known (yet)."""
        if not self._known:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self._known = list(dict.fromkeys((str(one[4][0]), self.port) for one in found))
        return self._known

    def headers(self) -> dict[str, str]:
        """Who we are, read anew: the token of a pod is replaced while it runs."""
        token = self.token
        if self.token_file is not None:
            token = self.token_file.read_text(encoding="utf-8").strip()
        return {"Authorization": f"Bearer {token}"} if token else {}


def in_cluster(account: Path = _ACCOUNT) -> Access:
    """The way in that Kubernetes gives to every pod. InputError when this is none."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port.isdecimal():
        raise InputError("not in a pod (no KUBERNETES_SERVICE_HOST and _PORT): give --kubeconfig")
    if not (account / "token").is_file():
        raise InputError(f"no service account token at {account}: give --kubeconfig")
    try:
        tls = ssl.create_default_context(cafile=str(account / "ca.crt"))
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"{account / 'ca.crt'}: {error}") from None
    return Access(host, int(port), tls, token_file=account / "token")


def of_kubeconfig(path: Path, context: str | None) -> Access:
    """The way in of a kubeconfig's context (default: its current one): token or client certificate.

    InputError when the file does not say that, or leaves it to a program (`exec`).
    """
    import yaml  # noqa: PLC0415 - not needed in a pod

    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        chosen = _named(body, "contexts", context or body["current-context"])["context"]
        cluster = _named(body, "clusters", chosen["cluster"])["cluster"]
        user = _named(body, "users", chosen["user"])["user"]
        url = urlsplit(cluster["server"])
        port = url.port or (443 if url.scheme == "https" else 80)
        return Access(
            url.hostname or "", port, _tls(cluster, user, path.parent) if url.scheme == "https" else None,
            cluster.get("tls-server-name", ""),
            path.parent / user["tokenFile"] if "tokenFile" in user else None, user.get("token", ""),
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise InputError(f"{path}: cannot be used as a kubeconfig: {error}") from None


def _named(body: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    for one in body[kind]:
        if one["name"] == name:
            return dict(one)
    raise ValueError(f"no '{name}' in {kind}")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], base: Path) -> ssl.SSLContext:
    if "exec" in user or "auth-provider" in user:
        raise ValueError("its credentials come from a program, which an agent does not run")
    tls = ssl.create_default_context()
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    elif (authority := _bytes(cluster, "certificate-authority", base)) is not None:
        tls.load_verify_locations(cadata=authority.decode())
    certificate, key = _bytes(user, "client-certificate", base), _bytes(user, "client-key", base)
    if certificate and key:
        tls.load_cert_chain(_in_memory(certificate), _in_memory(key))
    return tls


def _bytes(body: Mapping[str, Any], key: str, base: Path) -> bytes | None:
    if f"{key}-data" in body:
        return base64.b64decode(body[f"{key}-data"])
    return (base / body[key]).read_bytes() if key in body else None


def _in_memory(content: bytes) -> str:
    """A path the TLS library can read it from, without putting a key on disk. Stays open: there are two."""
    fd = os.memfd_create("stormdrill", os.MFD_CLOEXEC)
    os.write(fd, content)
    return f"/proc/self/fd/{fd}"
