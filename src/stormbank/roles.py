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
    "clearing": Role(8103, "stormbank.settings.clearing", "stormbank.external.clearing"),
}
