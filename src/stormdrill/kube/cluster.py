"""One cluster's API: get, list, create, patch, replace, delete on paths; plain dicts, a timeout on each."""

from __future__ import annotations

import builtins
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import urllib3.exceptions
from kubernetes.client.exceptions import ApiException

from stormdrill.kube.answers import ApiError, api_error, no_answer
from stormdrill.kube.config import Access, read_access
from stormdrill.kube.hold import HeldExec, hold
from stormdrill.kube.pods import PodRef, pod_refs
from stormdrill.kube.run import ExecResult, run

_PAGE = 500
_PATCH = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}
Json = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """The API of one region. Safe to use from several threads; every call ends within about `timeout_s`.

    All verbs raise ApiError for an error answer and TargetError when there is no answer.
    """

    access: Access
    timeout_s: float = 5.0

    @classmethod
    def connect(cls, kubeconfig: Path | None, context: str, timeout_s: float = 5.0) -> Cluster:
        """A client for `context`; makes no call yet. InputError when kubeconfig or context are wrong."""
        return cls(read_access(kubeconfig, context), timeout_s)

    @property
    def context(self) -> str:
        """The kubeconfig context's name."""
        return self.access.context

    def get(self, path: str, **query: str) -> Json:
        """GET one object (or a list as it is)."""
        return self._json("GET", path, query=query)

    def list(
        self, path: str, label_selector: str | None = None, field_selector: str | None = None
    ) -> builtins.list[Json]:
        """All items, page by page. A list that expires half way is started again, once."""
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        try:
            return self._pages(path, query)
        except ApiError as error:
            if error.status != 410:
                raise
            return self._pages(path, query)

    def create(self, path: str, body: Json) -> Json:
        """POST to a collection."""
        return self._json("POST", path, body)

    def replace(self, path: str, body: Json) -> Json:
        """PUT; with `metadata.resourceVersion` in the body, a conflict is an ApiError of status 409."""
        return self._json("PUT", path, body)

    def patch(self, path: str, body: Any, kind: str = "merge") -> Json:
        """PATCH; `kind` is merge, strategic or json."""
        return self._json("PATCH", path, body, content_type=_PATCH[kind])

    def delete(
        self,
        path: str,
        grace_s: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Json:
        """DELETE. With `uid` a namesake that replaced the object is a conflict (409); versions likewise."""
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        wanted = {"uid": uid, "resourceVersion": resource_version}
        if conditions := {key: value for key, value in wanted.items() if value is not None}:
            options["preconditions"] = conditions
        return self._json("DELETE", path, options)

    def identity(self) -> str:
        """The uid of kube-system: which cluster this really is, whatever its address."""
        return str(self.get("/api/v1/namespaces/kube-system")["metadata"]["uid"])

    def pods(self, namespace: str, selector: str, zone: str | None = None) -> tuple[PodRef, ...]:
        """Pods that the label selector selects and that have not finished, by name, with their nodes' zones."""
        return pod_refs(self, namespace, selector, zone)

    def log(self, namespace: str, pod: str, container: str | None = None, tail_lines: int = 100) -> str:
        """The last lines a container wrote."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = {"tailLines": str(tail_lines), "container": container}
        return self._call("GET", path, query=query).decode(errors="replace")

    def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        command: builtins.list[str],
        timeout_s: float = 10.0,
    ) -> ExecResult:
        """Run a command in a container, without a shell, and wait for its end."""
        return run(
            self.access, f"/api/v1/namespaces/{namespace}/pods/{pod}/exec", container, command, timeout_s
        )

    def hold(self, namespace: str, pod: str, container: str | None, command: builtins.list[str]) -> HeldExec:
        """Start a command in a container and keep its stream open, to learn when it is killed.

        It must end with its standard input, which is open as long as we are.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        return hold(self.access, path, container, command, self.timeout_s)

    def _pages(self, path: str, query: Mapping[str, str | None]) -> builtins.list[Json]:
        items: builtins.list[Json] = []
        token: str | None = None
        while True:
            page = self._json("GET", path, query={**query, "limit": str(_PAGE), "continue": token})
            items += page.get("items") or []
            token = page.get("metadata", {}).get("continue")
            if not token:
                return items

    def _json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str | None] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        answer = self._call(method, path, body, query=query, content_type=content_type)
        try:
            parsed = json.loads(answer)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise api_error(
                self.context, method, path, 200, b"the answer is not a Kubernetes object: " + answer[:80]
            )
        return parsed

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str | None] | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        text = urlencode({key: value for key, value in (query or {}).items() if value}, quote_via=quote)
        url = f"{self.access.server}{path}" + (f"?{text}" if text else "")
        headers = {"Accept": "application/json", "Content-Type": content_type, **self.access.authorization()}
        try:
            try:
                answer = self._send(method, url, headers, body)
            except urllib3.exceptions.ProtocolError:
                # A kept connection that the other side had closed; reading again harms nobody, writing might.
                if method != "GET":
                    raise
                answer = self._send(method, url, headers, body)
            data = bytes(answer.read())
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, ApiException, OSError) as error:
            raise no_answer(self.context, self.access.server, error) from None
        if not 200 <= answer.status <= 299:
            raise api_error(self.context, method, path, answer.status, data)
        return data

    def _send(self, method: str, url: str, headers: dict[str, str], body: Any) -> Any:
        return self.access.client.call_api(method, url, headers, body, _request_timeout=self.timeout_s)
