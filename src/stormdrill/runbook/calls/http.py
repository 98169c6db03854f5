"""`http: {url, ...}`: one request, and what its answer must be; `status: none` wants no answer at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

from stormdrill.connection import why
from stormdrill.content import Node
from stormdrill.estate_secrets import Credential
from stormdrill.runbook.calls import Finding
from stormdrill.runbook.calls.promql import url
from stormdrill.runbook.surroundings import Surroundings
from stormdrill.topology_audit import decode_credential

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MISSING = object()


@dataclass(frozen=True)
class Http:
    """`status` None: nobody must answer. `fields` are dotted places in the JSON answer and their values."""

    method: str
    url: str
    status: int | None
    body: Any = None
    contains: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    bearer: Credential | None = None
    timeout_s: float = 5.0

    @property
    def changes(self) -> bool:
        """GET only reads."""
        return self.method != "GET"

    @property
    def text(self) -> str:
        """The request, and what is wanted."""
        body = f" {json.dumps(self.body, ensure_ascii=False)}" if self.body is not None else ""
        parts = [f"{place} = {json.dumps(value)}" for place, value in self.fields.items()]
        parts += [f"{self.contains!r} in the answer"] if self.contains else []
        wanted = "no answer" if self.status is None else str(self.status)
        return f"{self.method} {self.url}{body} -> {', '.join([wanted, *parts])}"

    def run(self, around: Surroundings) -> Finding:
        """Ask once; redirects are not followed."""
        headers = {"Content-Type": "application/json"} if self.body is not None else {}
        if secret := around.secret(self.bearer):
            headers["Authorization"] = f"Bearer {secret}"
        body = json.dumps(self.body).encode() if self.body is not None else None
        timeout = urllib3.Timeout(total=self.timeout_s)
        with urllib3.PoolManager(retries=False, timeout=timeout) as http:
            try:
                answer = http.request(self.method, self.url, body=body, headers=headers, redirect=False)
            except urllib3.exceptions.HTTPError as error:
                return Finding(self.status is None, f"no answer: {why(error)}")
        said = answer.data.decode(errors="replace")
        evidence = {"status": answer.status, "answer": said[:2000]}
        if self.status is None or answer.status != self.status:
            return Finding(False, f"{answer.status}: {' '.join(said.split())[:200]}", evidence)
        return self._held(answer.status, said, evidence)

    def _held(self, status: int, said: str, evidence: Mapping[str, Any]) -> Finding:
        if self.contains and self.contains not in said:
            return Finding(False, f"{status}, without {self.contains!r}", evidence)
        try:
            parsed = json.loads(said) if self.fields else None
        except ValueError:
            return Finding(False, f"{status}, but no JSON", evidence)
        seen = {place: _at(parsed, place) for place in self.fields}
        words = [f"{place} = {_shown(value)}" for place, value in seen.items()]
        holds = all(_same(seen[place], wanted) for place, wanted in self.fields.items())
        return Finding(holds, ", ".join([str(status), *words]), evidence)


def _at(value: Any, place: str) -> Any:
    """What stands at `a.b.0`; absent counts as null, as a merge patch sees it."""
    for part in place.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            return None
    return value


def _same(seen: Any, wanted: Any) -> bool:
    """Equal, and not merely alike as 1 and true are."""
    return bool(seen == wanted) and isinstance(seen, bool) == isinstance(wanted, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def decode(node: Node) -> Http:
    """From a step's block."""
    with node.fields() as fields:
        status = fields.get("status")
        none = status.plain() == "none"
        http = Http(
            fields.get("method").choice(_METHODS, "GET"),
            fields.need("url").text() and url(fields.get("url")),
            None if none else status.integer(200, low=100, high=599),
            fields.get("body").plain(),
            fields.get("contains").maybe(Node.text),
            {name: value.plain() for name, value in fields.get("json").items()},
            fields.get("bearer").maybe(decode_credential),
            fields.get("timeout").duration_s(5.0, low=0.1, high=300),
        )
    if http.status is None and (http.contains or http.fields):
        node.problem("an answer cannot be absent and have a content")
    return http
