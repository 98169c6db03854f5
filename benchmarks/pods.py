"""How soon a killed pod is replaced, beside starting the same program by itself."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from benchmarks import tinylab
from benchmarks.figure import Figure, Skipped, in_turn
from stormlab import pki
from stormlab.wait import until

_ID = "pod.replace_s"
_HOST, _PORT = "127.0.0.1", 27998
_PATIENCE_S = 30.0
_SERVER = (
    "import http.server, sys\n"
    "class Answer(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200)\n"
    "        self.end_headers()\n"
    "    def log_message(self, *said):\n"
    "        pass\n"
    "http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Answer).serve_forever()\n"
)


def replacing() -> Iterator[Figure | Skipped]:
    """From a kill (a delete without grace) to a ready replacement; needs root."""
    if os.geteuid() != 0:
        yield Skipped(_ID, "needs root (network namespaces)")
        return
    with tinylab.region() as estate:
        api = _Api(estate.regions[0].api_port)
        api.deploy()
        ours_s, plain_s = in_turn(api.replace_s, _plain_s)
    yield Figure(
        _ID,
        "s",
        ours_s,
        plain_s,
        "delete without grace to a ready replacement, readiness asked once a second; "
        "plain: start the same program and ask it until it answers",
        limit=3.0,
    )


class _Api:
    """The region's API, with one Deployment of one pod."""

    def __init__(self, port: int) -> None:
        self._base = f"https://{_HOST}:{port}"
        self._tls = ssl.create_default_context(cafile=str(tinylab.STATE / "pki" / "ca.crt"))
        self._token = pki.token(tinylab.STATE, "admin")
        until(self._answers, "the API", _PATIENCE_S)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self._call("GET", "/readyz")
            return True
        return False

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data=data, headers=headers, method=method)  # noqa: S310 -- https
        with urllib.request.urlopen(request, context=self._tls, timeout=10) as answer:  # noqa: S310 -- https
            text = answer.read()
        return json.loads(text) if text.startswith(b"{") else text

    def deploy(self) -> None:
        """Make the Deployment and wait until its pod serves."""
        container = {
            "name": "c",
            "image": tinylab.IMAGE,
            "command": ["python", "-c", _SERVER, "0.0.0.0", "8080"],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        }
        labels = {"app": "bench"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        body = {"metadata": {"name": "bench"}, "spec": spec}
        self._call("POST", "/apis/apps/v1/namespaces/default/deployments", body)
        until(self._ready, "the first pod", _PATIENCE_S)

    def _ready(self, besides: str = "") -> str:
        """Name of a pod that serves, other than `besides`."""
        for pod in self._call("GET", "/api/v1/namespaces/default/pods")["items"]:
            conditions = pod["status"].get("conditions", ())
            ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
            if ready and pod["metadata"]["name"] != besides:
                return str(pod["metadata"]["name"])
        return ""

    def replace_s(self) -> float:
        """Kill the pod; seconds until another is ready."""
        victim = self._ready()
        began = time.perf_counter()
        self._call("DELETE", f"/api/v1/namespaces/default/pods/{victim}?gracePeriodSeconds=0")
        until(lambda: self._ready(victim), "a replacement", _PATIENCE_S)
        return time.perf_counter() - began


def _plain_s() -> float:
    """Start the program; seconds until it answers."""
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", _SERVER, _HOST, str(_PORT)]) as started:
        try:
            until(_answers, "the program", _PATIENCE_S)
            return time.perf_counter() - began
        finally:
            started.kill()


def _answers() -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{_HOST}:{_PORT}/", timeout=1):
        return True
    return False
