"""Where an estate keeps its secrets, as frozen values; `credential` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SecretKey:
    """One key of a Kubernetes Secret."""

    region: str
    namespace: str
    name: str
    key: str


@dataclass(frozen=True)
class Credential:
    """Where a secret is kept; the secret itself never enters a plan. Exactly one of the three is set."""

    env: str | None = None
    file: Path | None = None
    secret: SecretKey | None = None
