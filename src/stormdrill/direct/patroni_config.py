"""The settings of a Patroni cluster that live in its store, read and changed through any member that answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import urllib3

from stormdrill.errors import TargetError


class PatroniConfig:
    """`members` maps names to REST URLs. TargetError when no member answers, or Patroni refuses."""

    def __init__(self, members: Mapping[str, str], timeout_s: float = 3.0) -> None:
        self._members = dict(members)
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(total=timeout_s), maxsize=2, num_pools=len(members)
        )

    def read(self) -> dict[str, Any]:
        """The settings now."""
        return self._object("GET", "/config")

    def current(self) -> dict[str, Any]:
        """The settings as they are in the store now. What `read` gives is a member's copy, up to a loop old."""
        return self.patch({"stormdrill": None})  # a change of nothing: answered from the store

    def patch(self, change: Mapping[str, Any]) -> dict[str, Any]:
        """Change what is named, remove what is None; the settings after it. Members follow within a loop."""
        return self._object("PATCH", "/config", change)

    def history(self) -> list[tuple[int, int]]:
        """Timelines that have ended, each with the log position (bytes) where the next one begins."""
        rows = self._ask("GET", "/history")
        return [(int(row[0]), int(row[1])) for row in rows] if isinstance(rows, list) else []

    def _object(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._ask(method, path, body)
        if not isinstance(answer, dict):
            raise TargetError(f"{method} {path}: not what Patroni answers: {str(answer)[:80]}")
        return answer

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        said = []
        for name, url in self._members.items():
            try:
                answer = self._http.request(
                    method,
                    url + path,
                    body=None if body is None else json.dumps(body),
                    headers={"Content-Type": "application/json"},
                )
                if answer.status == 200:
                    return json.loads(answer.data)
                said.append(f"{name}: {answer.status} {answer.data[:100].decode(errors='replace').strip()}")
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                said.append(f"{name}: {type(error).__name__}")
        raise TargetError(f"Patroni: {method} {path}: {'; '.join(said)}")
