"""Books asked over HTTP, one idempotency key at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import urllib3

from stormdrill.audit.books import Books, Mark, Movement, key_text
from stormdrill.errors import InputError
from stormdrill.estate_books import HttpAudit

_PARALLEL = 8
_TIMEOUT_S = 5.0
_ATTEMPTS = 3


class _UnclearError(Exception):
    """A key for which the service gave no usable answer."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is booked under one key; a list may hold several movements."""

    movements: list[Movement]
    is_list: bool


class HttpReader:
    """GETs `url` for every key, as it was sent. An unclear answer makes the books incomplete, not the key missing."""

    def __init__(self, audit: HttpAudit, bearer: str | None) -> None:
        self._audit = audit
        self._headers = {**audit.headers, **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(total=_TIMEOUT_S), maxsize=_PARALLEL
        )

    def high_water(self) -> int:
        """Always 0: the question is asked by key, and keys are new in every run."""
        return 0

    def read(self, since: Mark, keys: Iterable[str]) -> Books:
        """Ask for every key until the deadline."""
        try:
            asked = dict.fromkeys(keys)
        except InputError as error:
            return Books.incomplete("http", since, f"the witness's keys are not known: {error}")
        end = time.monotonic() + self._audit.deadline_s
        unclear: dict[str, str] = {}
        movements: list[Movement] = []
        lists = False
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            for key, answer in pool.map(lambda key: (key, self._try(key, end)), asked):
                if isinstance(answer, str):
                    unclear[key] = answer
                else:
                    movements += answer.movements
                    lists |= answer.is_list
        why = ""
        if unclear:
            key, said = next(iter(unclear.items()))
            why = f"{len(unclear)} keys could not be asked for; {key}: {said}"
        return Books("http", not unclear, why, since, tuple(movements), (), self._shows(lists=lists))

    def _shows(self, *, lists: bool) -> tuple[str, ...]:
        """Who answers with one object cannot say that there are two; nobody is asked for keys that nobody sent."""
        audit = self._audit
        fields = (audit.amount_field, audit.source_field, audit.target_field)
        seen = {"lost": True, "duplicated": lists, "altered": any(fields), "refused_booked": True}
        return tuple(name for name, can in seen.items() if can)

    def _try(self, key: str, end: float) -> _Answer | str:
        said = "the deadline passed first"
        for _ in range(_ATTEMPTS):
            if time.monotonic() >= end:
                break
            try:
                return self._ask(key)
            except (_UnclearError, urllib3.exceptions.HTTPError, ValueError, TypeError) as error:
                said = " ".join(str(error).split())
        return said

    def _ask(self, key: str) -> _Answer:
        """The movements under `key`: none, one, or, when the service answers a list, several."""
        url = self._audit.url.replace("{key}", quote(key, safe=""))
        answer = self._http.request("GET", url, headers=self._headers)
        if answer.status == self._audit.missing:
            return _Answer([], is_list=False)
        if answer.status != self._audit.found:
            raise _UnclearError(f"status {answer.status}")
        body = json.loads(answer.data) if answer.data else {}
        is_list = isinstance(body, list)
        return _Answer([self._movement(key, entry) for entry in (body if is_list else [body])], is_list)

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
