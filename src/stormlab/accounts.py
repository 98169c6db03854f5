"""Tokens of service accounts: signed by the lab's own key, so that any node mints and any API accepts without asking.

The form is that of Kubernetes: a JSON Web Token bound to the pod that it was made for. HS256 where a real server has
RS256: whoever checks a token here is the lab itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY_FILE = "sa.key"
LIFETIME_S = 365 * 86400
"""As a real server extends the tokens it mounts by itself."""
_ISSUER = "https://kubernetes.default.svc.cluster.local"
_HEADER = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True)
class Account:
    """Who a token speaks for."""

    namespace: str
    name: str
    uid: str
    pod: str
    pod_uid: str

    @property
    def user(self) -> str:
        """The user name that rights are given to."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def key(pki: Path) -> bytes:
    """The lab's key. Raises OSError before `stormlab.pki.ensure` made it."""
    return (pki / KEY_FILE).read_bytes().strip()


def mint(secret: bytes, account: Account, now_s: float) -> str:
    """A token of `account`, good for a year from `now_s` (Unix seconds)."""
    claims = {
        "iss": _ISSUER,
        "aud": [_ISSUER],
        "sub": account.user,
        "iat": int(now_s),
        "nbf": int(now_s),
        "exp": int(now_s) + LIFETIME_S,
        "kubernetes.io": {
            "namespace": account.namespace,
            "pod": {"name": account.pod, "uid": account.pod_uid},
            "serviceaccount": {"name": account.name, "uid": account.uid},
        },
    }
    said = f"{_encoded(_HEADER)}.{_encoded(claims)}"
    return f"{said}.{_signature(secret, said)}"


def verify(secret: bytes, token: str, now_s: float) -> Account | None:
    """The account of a token that this lab signed and that has not expired, None for any other text."""
    said, _, signature = token.rpartition(".")
    # Compared as bytes: the text is a stranger's and may not be ASCII.
    if not hmac.compare_digest(_signature(secret, said).encode(), signature.encode()):
        return None
    claims = json.loads(_decoded(said.partition(".")[2]))
    if now_s >= claims["exp"]:
        return None
    part = claims["kubernetes.io"]
    holder, pod = part["serviceaccount"], part["pod"]
    return Account(part["namespace"], holder["name"], holder["uid"], pod["name"], pod["uid"])


def _signature(secret: bytes, said: str) -> str:
    return _text(hmac.new(secret, said.encode(), hashlib.sha256).digest())


def _encoded(part: dict[str, Any]) -> str:
    return _text(json.dumps(part, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
