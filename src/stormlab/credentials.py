"""Random values for the Secrets a preset asks for: made once per lab, the same in every region."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from stormlab.manifests import Object
from stormlab.preset import SecretPart

FILE = "secrets.json"


def ensure(state: Path, parts: Sequence[SecretPart]) -> list[Object]:
    """Secret objects with the values kept in the state directory; missing values are made and kept first."""
    path = state / FILE
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    wanted = {f"{part.namespace}/{part.name}/{key}" for part in parts for key in part.keys}
    missing = wanted - kept.keys()
    if missing:
        kept |= {name: secrets.token_urlsafe(24) for name in sorted(missing)}
        _write(path, kept)
    return [_object(part, kept) for part in parts]


def _write(path: Path, kept: dict[str, str]) -> None:
    beside = path.with_suffix(".new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as handle:
        json.dump(kept, handle, indent=1)
    beside.replace(path)


def _object(part: SecretPart, kept: dict[str, str]) -> Object:
    prefix = f"{part.namespace}/{part.name}/"
    data = {key: base64.b64encode(kept[prefix + key].encode()).decode() for key in part.keys}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": part.namespace, "name": part.name},
        "type": "Opaque",
        "data": data,
    }
