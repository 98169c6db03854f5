"""Books asked over HTTP, one idempotency key at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import urllib3

from stormdrill.audit.books import Books, Movement, key_text
from stormdrill.estate import HttpAudit

_PARALLEL = 8
_TIMEOUT_S = 5.0
_ATTEMPTS = 3


class _UnclearError(Exception):
    """A key for which the service gave no usable answer."""


class HttpReader:
    """GETs `url` for every key. An unclear answer makes the books incomplete, not the key missing."""

    def __init__(self, audit: HttpAudit, bearer: str | None) -> None:
        self._audit = audit
        self._headers = {**audit.headers, **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(total=_TIMEOUT_S), maxsize=_PARALLEL
        )

    def high_water(self) -> int:
        """Always 0: the question is asked by key, and keys are new in every run."""
        return 0

    def read(self, since: int, keys: Iterable[str]) -> Books:
        """Ask for every key until the deadline."""
        end = time.monotonic() + self._audit.deadline_s
        unclear: dict[str, str] = {}
        movements: list[Movement] = []
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            for key, answer in pool.map(lambda key: (key, self._try(key, end)), dict.fromkeys(keys)):
                if isinstance(answer, str):
                    unclear[key] = answer
                else:
                    movements += answer
        why = ""
        if unclear:
            key, said = next(iter(unclear.items()))
            why = f"{len(unclear)} keys could not be asked for; {key}: {said}"
        return Books("http", not unclear, why, since, tuple(movements), ())

    def _try(self, key: str, end: float) -> list[Movement] | str:
        said = "the deadline passed first"
        for _ in range(_ATTEMPTS):
            if time.monotonic() >= end:
                break
            try:
                return self._ask(key)
            except (_UnclearError, urllib3.exceptions.HTTPError, ValueError, TypeError) as error:
                said = " ".join(str(error).split())
        return said

    def _ask(self, key: str) -> list[Movement]:
        """The movements under `key`: none, one, or, when the service answers a list, several."""
        url = self._audit.url.replace("{key}", quote(key, safe=""))
        answer = self._http.request("GET", url, headers=self._headers)
        if answer.status == self._audit.missing:
            return []
        if answer.status != self._audit.found:
            raise _UnclearError(f"status {answer.status}")
        body = json.loads(answer.data) if answer.data else {}
        entries = body if isinstance(body, list) else [body]
        return [self._movement(key, entry) for entry in entries]

    def _movement(self, key: str, entry: Any) -> Movement:
        if not isinstance(entry, dict):
            raise _UnclearError("the answer is not a JSON object")

        def number(name: str | None) -> int | None:
            if name is None:
                return None
            if name not in entry:
                raise _UnclearError(f"the answer has no field '{name}'")
            value = entry[name]
            return None if value is None else int(value)

        audit = self._audit
        return Movement(
            key_text(key),
            number(audit.amount_field),
            number(audit.source_field),
            number(audit.target_field),
            number(audit.id_field),
        )
