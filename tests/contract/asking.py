"""One call of the API under test as bare HTTP, and a watch as a stream of events; whoever asks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

import urllib3

from .conftest import Region
from .wire import Wire, wire

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Json:
        parsed: Json = json.loads(self.text)
        return parsed

    @property
    def version(self) -> str:
        """The resourceVersion of the object or list."""
        return str(self.body["metadata"]["resourceVersion"])

    def refused(self, status: int, reason: str) -> Json:
        """The Status of an error; it must be this one."""
        body = self.body
        shown = (self.status, body.get("kind"), body.get("status"), body.get("code"), body.get("reason"))
        assert shown == (status, "Status", "Failure", status, reason), body
        return body


@dataclass(frozen=True)
class Api:
    """Asks as the kubeconfig's user, or as `who` (impersonated). Every call ends within `timeout_s`."""

    wire: Wire
    pool: urllib3.PoolManager
    who: str = ""
    timeout_s: float = 30.0

    @classmethod
    def of(cls, region: Region) -> Self:
        to = wire(region)
        return cls(to, urllib3.PoolManager(ssl_context=to.tls, retries=False), timeout_s=region.patience_s)

    def acting_as(self, who: str) -> Api:
        return replace(self, who=who)

    def with_headers(self, headers: Mapping[str, str]) -> Api:
        return replace(self, wire=replace(self.wire, headers=dict(headers)))

    def call(
        self, method: str, path: str, body: Any = None, kind: str = JSON, *, accept: str = JSON, **query: str
    ) -> Answer:
        answer = self._send(method, path, query, accept=accept, body=body, kind=kind)
        return Answer(answer.status, answer.headers, answer.data.decode())

    def get(self, path: str, **query: str) -> Answer:
        return self.call("GET", path, **query)

    def done(self, method: str, path: str, body: Any = None, kind: str = JSON, **query: str) -> Json:
        """What a call answers that must succeed."""
        answer = self.call(method, path, body, kind, **query)
        assert 200 <= answer.status < 300, answer.text
        return answer.body

    def watch(self, path: str, *, accept: str = JSON, **query: str) -> Iterator[Json]:
        """Events until the server ends the stream; `timeoutSeconds` says when it does at the latest."""
        asked = {"watch": "1", "timeoutSeconds": "20", **query}
        answer = self._send("GET", path, asked, accept=accept, preload=False)
        try:
            assert answer.status == 200, answer.data
            rest = b""
            for data in answer.stream(65536):
                *lines, rest = (rest + data).split(b"\n")
                yield from map(json.loads, filter(None, lines))
        finally:
            answer.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        accept: str,
        body: Any = None,
        kind: str = JSON,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        headers = {**self.wire.headers, "Accept": accept}
        if self.who:
            headers["Impersonate-User"] = self.who
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = kind
        url = self.wire.url + path + (f"?{urlencode(query)}" if query else "")
        return self.pool.request(
            method, url, body=data, headers=headers, timeout=self.timeout_s, preload_content=preload
        )


def core(namespace: str, resource: str, name: str = "", part: str = "") -> str:
    """The path of a collection or an object of the core group in a namespace, or of a part of one."""
    return "/".join(filter(None, (f"/api/v1/namespaces/{namespace}/{resource}", name, part)))


def group(of: str, namespace: str, resource: str, name: str = "", part: str = "") -> str:
    """The same in a group's version, as `apps/v1`."""
    return "/".join(filter(None, (f"/apis/{of}/namespaces/{namespace}/{resource}", name, part)))
