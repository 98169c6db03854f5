"""The director of traffic: reads the name that phones resolve, and takes edges out of it and back."""

from __future__ import annotations

import json

import urllib3

from stormdrill.errors import TargetError
from stormdrill.resolved import Resolved, parse

_TIMEOUT_S = 3.0


class NameDirector:
    """One name, at its URL (`http://host:port/names/bank`)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S)

    def resolve(self) -> Resolved:
        """The answer now. TargetError when there is none."""
        return self._ask("GET", self.url)

    def drain(self, edge: str) -> Resolved:
        """Take `edge` out, whatever its health; the answer after it. Phones follow as their copies age out."""
        return self._ask("PUT", f"{self.url}/edges/{edge}", drained=True)

    def restore(self, edge: str) -> Resolved:
        """Let `edge` serve again as soon as it is well; the answer after it."""
        return self._ask("PUT", f"{self.url}/edges/{edge}", drained=False)

    def _ask(self, method: str, url: str, **said: bool) -> Resolved:
        body = json.dumps(said).encode() if said else None
        headers = {"Content-Type": "application/json"} if said else None
        try:
            answer = self._http.request(method, url, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise TargetError(f"the name at {self.url} does not answer: {error}") from None
        if answer.status != 200:
            raise TargetError(f"{method} {url}: {answer.status} {answer.data[:200].decode(errors='replace')}")
        try:
            return parse(answer.data)
        except ValueError as error:
            raise TargetError(f"{url}: {error}") from None
