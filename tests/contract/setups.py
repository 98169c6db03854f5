"""Makes objects by the API, as an administrator does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from .kubelet import FakeKubelet
from .served import Served

COMMAND = ["/bin/sh", "-c", "trap 'exit 0' TERM; echo started; while :; do sleep 1 & wait $!; done"]
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]


@dataclass
class Setup:
    """Makes objects by the API, as an administrator."""

    served: Served
    session: aiohttp.ClientSession
    namespace: str
    kubelets: list[FakeKubelet] = field(default_factory=list)

    async def make(self, resource: str, name: str, group: str = "api/v1", **parts: Any) -> dict[str, Any]:
        metadata = {"name": name, **parts.pop("metadata", {})}
        url = f"{self.served.url}/{group}/namespaces/{self.namespace}/{resource}"
        async with self.session.post(url, json={"metadata": metadata, **parts}) as answer:
            body: dict[str, Any] = await answer.json()
            assert answer.status == 201, body
            return body

    async def get(self, path: str) -> dict[str, Any]:
        async with self.session.get(self.served.url + path) as answer:
            body: dict[str, Any] = await answer.json()
            return body

    async def settled(self, quiet_s: float = 0.05) -> None:
        """Wait until the controllers, and in `quiet_s` the kubelets, have nothing more to write."""
        store, loop = self.served.objects.store, self.served.loop
        for _ in range(100):
            before = store.version
            await asyncio.sleep(quiet_s)
            if loop.idle and store.version == before:
                return
        raise AssertionError("controllers did not settle")

    async def pod(self, name: str, *, image: str = "k8s.local/app:1", **spec: Any) -> None:
        container = {"name": "c", "image": image, "imagePullPolicy": "Never", "command": COMMAND}
        labels = spec.pop("labels", {})
        wanted = {"automountServiceAccountToken": False, "containers": [container], **spec}
        await self.make("pods", name, metadata={"labels": labels}, spec=wanted)

    async def workload(self, resource: str, kind_name: str, replicas: int, **spec: Any) -> None:
        labels = {"app": kind_name}
        template_spec = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 2,
            "containers": [
                {"name": "c", "image": "k8s.local/app:1", "imagePullPolicy": "Never", "command": COMMAND}
            ],
        }
        template = {"metadata": {"labels": labels}, "spec": template_spec}
        wanted = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        await self.make(resource, kind_name, "apis/apps/v1", spec=wanted)

    async def running(self, count: int, app: str = "") -> None:
        """Wait until so many pods of the namespace, or of an app in it, are Ready."""
        query = f"?labelSelector=app%3D{app}" if app else ""
        for _ in range(250):
            body = await self.get(f"/api/v1/namespaces/{self.namespace}/pods{query}")
            ready = [
                pod
                for pod in body["items"]
                for item in pod["status"].get("conditions", ())
                if item["type"] == "Ready" and item["status"] == "True"
            ]
            if len(ready) >= count:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{self.namespace}: not {count} pods ready")
