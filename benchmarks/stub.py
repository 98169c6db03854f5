"""The stub bank of the generator's tests, as a process."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.forking import Nursery

_SCRIPT = Path(__file__).parents[1] / "tests" / "unit" / "load" / "stub_bank.py"


class Stub:
    """Answers every request at once, or not at all for a while."""

    def __enter__(self) -> Self:
        self._nursery = Nursery(_SCRIPT)
        self.url = f"http://127.0.0.1:{self._nursery.start().port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._nursery.close()

    def seen(self) -> int:
        """Requests so far."""
        return sum(self._ask("/_books")["seen"].values())

    def stall(self, for_s: float) -> None:
        """Answer nothing for so long, and then all that was asked."""
        self._ask("/_behave", {"mode": "stall", "for_s": for_s})

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}{path}", data, timeout=10) as answer:  # noqa: S310 - our stub
            return json.load(answer)
