"""The bank's processes: one code base, started by role. Each role reads its settings and runs on one port."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class Role:
    """`settings` is a module with `read(reader)`, `module` one with `run(settings, host, port)`.

    Both are named and not imported: a gateway needs no database driver, and memory counts.
    """

    port: int
    settings: str
    module: str

    def read(self, env: Mapping[str, str]) -> Any:
        """Read the settings of this role; SettingsError listing all that is wrong."""
        return importlib.import_module(self.settings).read(Reader(env))

    async def run(self, settings: Any, host: str, port: int) -> None:
        """Be a process of this role until told to end; OSError when the port cannot be had."""
        await importlib.import_module(self.module).run(settings, host, port)


ROLES: Final = {
    "gateway": Role(8080, "stormbank.settings.gateway", "stormbank.gateway"),
    "ledger": Role(8090, "stormbank.settings.ledger", "stormbank.ledger"),
    "batch": Role(8097, "stormbank.settings.batch", "stormbank.batch"),
    "identity": Role(8091, "stormbank.settings.identity", "stormbank.identity.role"),
    "risk": Role(8092, "stormbank.settings.risk", "stormbank.desks.risk"),
    "wealth": Role(8093, "stormbank.settings.wealth", "stormbank.desks.wealth"),
    "voice": Role(8094, "stormbank.settings.voice", "stormbank.desks.voice"),
    "campus": Role(8095, "stormbank.settings.campus", "stormbank.desks.campus"),
    "marketing": Role(8096, "stormbank.settings.marketing", "stormbank.desks.marketing"),
    "sms": Role(8101, "stormbank.settings.sms", "stormbank.external.sms"),
    "face": Role(8102, "stormbank.settings.face", "stormbank.external.face"),
    "clearing": Role(8103, "stormbank.settings.clearing", "stormbank.external.clearing"),
}
