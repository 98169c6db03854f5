"""The Secrets a preset asks for, random values and certificates: made once per lab, the same in every region.

A certificate is made anew when it has expired, for a lab that is brought up again is whole, and when it would last
longer than is asked for now.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from stormlab import pki
from stormlab.manifests import Object
from stormlab.preset import SecretPart

FILE = "secrets.json"
_TLS = ("ca.crt", "tls.crt", "tls.key")


def ensure(state: Path, parts: Sequence[SecretPart]) -> list[Object]:
    """Secret objects with the values kept in the state directory; missing values are made and kept first.

    The lab's CA must be there. Raises FileNotFoundError without it.
    """
    path = state / FILE
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    made = {name: value for part in parts for name, value in _missing(state, part, kept).items()}
    if made:
        kept |= made
        _write(path, kept)
    return [_object(part, kept) for part in parts]


def _missing(state: Path, part: SecretPart, kept: dict[str, str]) -> dict[str, str]:
    """Make what `kept` lacks of `part`, by full name."""
    prefix = f"{part.namespace}/{part.name}/"
    if not part.tls:
        return {prefix + key: secrets.token_urlsafe(24) for key in part.keys if prefix + key not in kept}
    authority = pki.authority(state)
    # Anew, too, when the lab has another CA than the one that signed: nobody would believe it any more.
    is_there = kept.get(prefix + "ca.crt") == authority and all(prefix + key in kept for key in _TLS)
    lifetime = pki.LIFETIME if part.lifetime_s is None else dt.timedelta(seconds=part.lifetime_s)
    if is_there and dt.timedelta() < pki.left(kept[prefix + "tls.crt"]) <= lifetime:
        return {}
    certificate, key = pki.issue(state, part.name, part.tls, lifetime)
    return {prefix + "tls.crt": certificate, prefix + "tls.key": key, prefix + "ca.crt": authority}


def _write(path: Path, kept: dict[str, str]) -> None:
    beside = path.with_suffix(".new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as handle:
        json.dump(kept, handle, indent=1)
    beside.replace(path)


def _object(part: SecretPart, kept: dict[str, str]) -> Object:
    prefix = f"{part.namespace}/{part.name}/"
    data = {
        key: base64.b64encode(kept[prefix + key].encode()).decode()
        for key in (_TLS if part.tls else part.keys)
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": part.namespace, "name": part.name},
        "type": "kubernetes.io/tls" if part.tls else "Opaque",
        "data": data,
    }
