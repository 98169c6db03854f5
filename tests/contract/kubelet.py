"""A kubelet at the wire: registers a node, runs nothing, and reports pods as if they ran.

What it does to a pod is what kubelets do, in order: ContainerCreating, then Running with an address, then Ready;
after a delete phase Succeeded, then a delete with grace 0 and the pod's uid. Statuses are made by the code of the
lab's nodes. A pod whose command ignores TERM takes its whole grace; one whose image is unknown waits for ever; one
whose readiness is asked of `/bin/false` is never ready.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from stormlab.node.podspec import parse
from stormlab.node.podstatus import View, pod_status

STRATEGIC = "application/strategic-merge-patch+json"
STOP_S = 0.25
NODE_TOKEN = "node-token"
_NEVER_READY = "/bin/false"
_CREATING = ("ContainerCreating", "")
_NEVER = 'Container image "{}" is not present with pull policy of Never'
_NOT_ENDED: dict[str, Any] = {"started": False, "will_restart": False}
_RUNNING: dict[str, Any] = {
    "attempt": 0, "finished_at": None, "exit_code": None, "signal": None, "message": "", "last": None
}  # fmt: skip
LINES = ("err", "line 1", "line 2", "line 3", "line 4", "line 5", "started")


class FakeKubelet:
    def __init__(
        self,
        url: str,
        node: str,
        zone: str,
        sockets: Path,
        *,
        token: str = NODE_TOKEN,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url, self._node, self._zone = url, node, zone
        self._token, self._tls = token, tls
        self._socket = sockets / f"{node}.sock"
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: dict[str, str] = {}
        self._views: dict[str, list[View]] = {}
        self._status: dict[str, dict[str, Any]] = {}
        self._address: dict[str, str] = {}
        self._addresses = 0
        self._alive = True

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True)
        headers = {"Authorization": f"Bearer {self._token}"}
        self._session = aiohttp.ClientSession(headers=headers, connector=connector)
        labels = {
            "beta.kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": self._node,
            "kubernetes.io/os": "linux",
            "topology.kubernetes.io/zone": self._zone,
        }
        conditions = [
            {"type": name, "status": "False", "reason": reason, "message": f"kubelet has {text}"}
            for name, reason, text in (
                ("MemoryPressure", "KubeletHasSufficientMemory", "sufficient memory available"),
                ("DiskPressure", "KubeletHasNoDiskPressure", "no disk pressure"),
                ("PIDPressure", "KubeletHasSufficientPID", "sufficient PID available"),
            )
        ]
        told = "kubelet is posting ready status"
        conditions.append({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": told})
        info = {
            "osImage": "Debian GNU/Linux 12 (bookworm)",
            "kernelVersion": "6.18.44-fc-v669",
            "containerRuntimeVersion": "containerd://1.6.20",
            "kubeletVersion": "v1.31.14",
        }
        addresses = [{"type": "InternalIP", "address": f"10.77.{ord(self._zone[-1]) - ord('a') + 1}.1"}]
        body = {
            "metadata": {"name": self._node, "labels": labels},
            "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]},
            "status": {"conditions": conditions, "nodeInfo": info, "addresses": addresses},
        }
        made = await self._call("POST", "/api/v1/nodes", body)
        if made["kind"] == "Status":
            # It was here before: the same node, back again.
            made = await self._call("GET", f"/api/v1/nodes/{self._node}", None)
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": made["metadata"]["uid"]}
        lease = {
            "metadata": {"name": self._node, "ownerReferences": [owner]},
            "spec": {
                "holderIdentity": self._node,
                "leaseDurationSeconds": 40,
                "renewTime": "2026-11-23T10:38:43.827313Z",
            },
        }
        await self._call("POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", lease)
        app = web.Application()
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._log)
        app.router.add_get("/exec/{namespace}/{pod}/{container}", self._exec)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        self._socket.unlink(missing_ok=True)
        await web.UnixSite(self._runner, str(self._socket)).start()
        self._start(self._watch())
        return self

    async def renew(self) -> None:
        """Renew the lease, as a kubelet does every 10 s."""
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{self._node}"
        await self._call("PATCH", path, {"spec": {"renewTime": now}}, "application/merge-patch+json")

    async def report(self) -> None:
        """Post that the node is Ready."""
        status = {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}
        await self._call("PATCH", f"/api/v1/nodes/{self._node}/status", {"status": status}, STRATEGIC)

    async def __aexit__(self, *_: object) -> None:
        self._alive = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()
        await self._runner.cleanup()

    async def _log(self, request: web.Request) -> web.StreamResponse:
        """Serve a fixed log with the options a kubelet has; `follow` goes on ticking."""
        lines = list(LINES)
        if "tailLines" in request.query:
            count = int(request.query["tailLines"])
            lines = lines[-count:] if count else []
        if "sinceSeconds" in request.query:
            lines = []
        stamp = "2026-11-23T10:38:40.417689369Z " if request.query.get("timestamps") == "true" else ""
        body = "".join(f"{stamp}{line}\n" for line in lines)
        limit = int(request.query.get("limitBytes", len(body)))
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(body[:limit].encode())
        while request.query.get("follow") == "true":
            await asyncio.sleep(0.05)
            await response.write(b"tick\n")
        return response

    async def _exec(self, request: web.Request) -> web.WebSocketResponse:
        """Say what `echo` would, or what another command was, and stdin, then end with Success."""
        socket = web.WebSocketResponse(protocols=["v5.channel.k8s.io", "v4.channel.k8s.io"])
        await socket.prepare(request)
        first, *words = request.query.getall("command")
        said = " ".join(words) + "\n" if first == "echo" else " ".join([first, *words])
        await socket.send_bytes(b"\x01" + said.encode())
        if request.query.get("stdin") == "true":
            message = await socket.receive()
            await socket.send_bytes(b"\x01" + message.data[1:])
        await socket.send_bytes(b"\x03" + json.dumps({"metadata": {}, "status": "Success"}).encode())
        await socket.close()
        return socket

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, method: str, path: str, body: Any, kind: str = "application/json") -> Any:
        headers = {"Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
            return await answer.json()

    async def _watch(self) -> None:
        query = {"watch": "1", "fieldSelector": f"spec.nodeName={self._node}"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(f"{self._url}/api/v1/pods", params=query, timeout=timeout) as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] != "DELETED":
                    self._note(event["object"])

    def _note(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        wanted = f"end {metadata['deletionGracePeriodSeconds']}" if "deletionTimestamp" in metadata else "run"
        if self._seen.get(metadata["uid"]) == wanted:
            return
        self._seen[metadata["uid"]] = wanted
        if wanted == "run":
            self._start(self._run(pod))
        elif metadata["deletionGracePeriodSeconds"]:
            self._start(self._end(pod))

    @staticmethod
    def _path(pod: dict[str, Any]) -> str:
        return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"

    async def _write(self, pod: dict[str, Any], views: list[View], *, address: str = "") -> None:
        """The status, as the lab's own nodes make it of what they know."""
        uid, zone = pod["metadata"]["uid"], ord(self._zone[-1]) - ord("a") + 1
        addresses = {"hostIP": f"10.77.{zone}.1"}
        if address or (address := self._address.get(uid, "")):
            addresses["podIP"] = self._address[uid] = address
        old = self._status.get(uid) or pod.get("status") or {}
        status = pod_status(parse(pod), views, addresses, old=old, now=time.time())
        self._status[uid] = status
        body = {"metadata": {"uid": uid}, "status": status}
        await self._call("PATCH", self._path(pod) + "/status", body, STRATEGIC)

    async def _run(self, pod: dict[str, Any]) -> None:
        spec, started_at = parse(pod), time.time()
        before = [View(part, None, _CREATING, ready=False, **_NOT_ENDED) for part in spec.containers]
        await self._write(pod, before)
        self._addresses += 1
        address = f"10.77.{ord(self._zone[-1]) - ord('a') + 1}.{self._addresses + 1}"
        if any("noimg" in part.image for part in spec.containers):
            waiting = [
                replace(view, waiting=("ErrImageNeverPull", _NEVER.format(view.container.image)))
                for view in before
            ]
            await self._write(pod, waiting, address=address)
            return
        probed = [
            next((one for one in part.probes if one.kind == "readiness"), None) for part in spec.containers
        ]
        state = {**_RUNNING, "started_at": started_at}
        views = [
            replace(view, state=state, ready=probe is None, started=True)
            for view, probe in zip(before, probed, strict=True)
        ]
        self._views[pod["metadata"]["uid"]] = views
        await self._write(pod, views, address=address)
        if any(probed) and not any(probe is not None and _NEVER_READY in probe.command for probe in probed):
            await self.probed(pod, ready=True)

    async def probed(self, pod: dict[str, Any], *, ready: bool) -> None:
        """The readiness probes of a pod that runs here begin to say so; nothing if it runs elsewhere."""
        uid = pod["metadata"]["uid"]
        if uid in self._views:
            self._views[uid] = [replace(view, ready=ready) for view in self._views[uid]]
            await self._write(pod, self._views[uid])

    async def _end(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        stubborn = any(
            "trap '' TERM" in " ".join(item.get("command", ())) for item in pod["spec"]["containers"]
        )
        await asyncio.sleep(metadata["deletionGracePeriodSeconds"] if stubborn else STOP_S)
        # The wish may have changed while the containers took their time; the newest wish ends the pod.
        ended = {"finished_at": time.time(), "exit_code": 137 if stubborn else 0}
        views = [
            replace(view.ended(), state={**view.state, **ended})
            for view in self._views.get(metadata["uid"], ())
            if view.state is not None
        ]
        if views:
            await self._write(pod, views)
        await self._call(
            "DELETE", self._path(pod), {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        )
