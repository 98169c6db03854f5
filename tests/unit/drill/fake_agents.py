"""The `Fault` kind of a fake API, the agents that watch it, and the canaries that feel what agents do.

Behaviour, by POST /_behave: "agents": "ok" | "failed" (to apply) | "late" (apply never) |
"wary" (apply once it is seen to be held) | "stuck" (revert never) |
"silent" (end a fault by its lease only) | "gone" (their pods are not ready) | "grumpy" (the API
fails the next patch); "canaries": "ok" | "blind" (nothing
breaks) | "wide" (z2 and z3 break as well) | "down" (z2 and z3 stay broken) | "mute" (no series).
"""

import asyncio
import time
import uuid
from typing import Any

from aiohttp import web

GROUP = "/apis/stormdrill.io/v1alpha1"
COLLECTION = GROUP + "/namespaces/stormdrill/faults"
ANYWHERE = "0.0.0.0/0"
PATHS = ("tcp-held", "tcp-new", "udp")


def node_of(index: int, zone: str) -> dict[str, Any]:
    """The node of a zone, with the addresses by which a fault knows it."""
    return {
        "metadata": {"name": f"node-{zone}", "labels": {"topology.kubernetes.io/zone": zone}},
        "spec": {"podCIDR": f"10.2.{index}.0/24", "podCIDRs": [f"10.2.{index}.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": f"10.1.{index}.1"}]},
    }


class Agents:
    """Faults by name, and one task for each that is its agents."""

    def __init__(self, behave: dict[str, Any], zones: tuple[str, ...]) -> None:
        self.behave, self.zones = behave, zones
        self.faults: dict[str, dict[str, Any]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.log: list[str] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(GROUP, self.discovery),
            web.get(COLLECTION, self.listed),
            web.post(COLLECTION, self.create),
            web.route("*", COLLECTION + "/{name}", self.one),
            web.get("/api/v1/namespaces/stormdrill/pods", self.pods),
        ]

    async def discovery(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIResourceList", "resources": [{"name": "faults"}]})

    async def listed(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "FaultList", "metadata": {}, "items": [*self.faults.values()]})

    async def pods(self, request: web.Request) -> web.Response:
        assert request.query["labelSelector"] == "app=agent"
        ready = "False" if self.behave["agents"] == "gone" else "True"
        items = [
            {
                "metadata": {"name": f"agent-{zone}", "namespace": "stormdrill", "uid": zone},
                "spec": {"nodeName": f"node-{zone}"},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
            }
            for zone in self.zones
        ]
        return web.json_response({"kind": "PodList", "metadata": {}, "items": items})

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = body["metadata"]["name"]
        body["metadata"]["uid"] = str(uuid.uuid4())
        body["status"] = {"nodes": {}}
        self.faults[name] = body
        self.log.append(f"CREATE fault {body['spec']['kind']}")
        task = asyncio.create_task(self.play(body))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return web.json_response(body, status=201)

    async def one(self, request: web.Request) -> web.Response:
        fault = self.faults.get(request.match_info["name"])
        if fault is None:
            status = {"kind": "Status", "code": 404, "reason": "NotFound", "message": "no such fault"}
            return web.json_response(status, status=404)
        if request.method == "PATCH":
            spec = (await request.json())["spec"]
            if self.behave["agents"] == "grumpy":
                self.behave["agents"] = "ok"
                return web.json_response({"kind": "Status", "code": 500, "message": "not now"}, status=500)
            fault["spec"].update(spec)
            if "desired" in spec:
                self.log.append(f"PATCH desired={spec['desired']}")
        if request.method == "DELETE":
            self.log.append("DELETE fault")
            del self.faults[request.match_info["name"]]
        return web.json_response(fault)

    async def play(self, fault: dict[str, Any]) -> None:
        """What the agents of all targets do, in step."""
        spec = fault["spec"]
        await asyncio.sleep(0.05)
        if self.behave["agents"] == "failed":
            self.say(fault, "failed", why="nft: no such program")
            return  # and stays so: nothing of it is there
        wary = self.behave["agents"] == "wary"
        if self.behave["agents"] not in ("late", "wary"):
            self.say(fault, "applied", tookMs=12.0, evidence={"rules": 4})
        renewal, seen = spec["renewal"], time.monotonic()
        while True:
            await asyncio.sleep(0.02)
            if spec["renewal"] > renewal:
                renewal, seen = spec["renewal"], time.monotonic()
                if wary:
                    wary = self.say(fault, "applied")
            expired = time.monotonic() - seen > spec["leaseSeconds"]
            wanted = spec["desired"] == "reverted" or fault["metadata"]["name"] not in self.faults
            if self.behave["agents"] != "stuck" and (
                expired or (wanted and self.behave["agents"] != "silent")
            ):
                self.say(fault, "reverted", reason="wanted" if wanted and not expired else "lease")
                return

    @staticmethod
    def say(fault: dict[str, Any], state: str, **more: Any) -> None:
        for target in fault["spec"]["targets"]:
            fault["status"]["nodes"][target["node"]] = {"state": state, **more}

    def flows(self) -> list[dict[str, Any]]:
        """The canaries' series now."""
        how = self.behave["canaries"]
        if how == "mute":
            return []
        cuts = [] if how == "blind" else [*self.cuts()]
        blind = {cut[0] for cut in cuts if cut[1] is None}
        found = []
        for zone in set(self.zones) - blind:
            for peer in set(self.zones) - {zone}:
                for path in PATHS:
                    broken = any(severs(cut, zone, peer, path) for cut in cuts)
                    odd = {zone, peer} == {"z2", "z3"} and (how == "down" or (how == "wide" and cuts))
                    labels = {"zone": zone, "peer": peer, "path": path}
                    found.append({"metric": labels, "value": [time.time(), "0" if broken or odd else "1"]})
        return found

    def cuts(self):
        """Zone, the zones it is cut from (None: everything) and the directions, of all that is applied."""
        for fault in self.faults.values():
            for target in fault["spec"]["targets"]:
                if fault["status"]["nodes"].get(target["node"], {}).get("state") != "applied":
                    continue
                outside = set(target["outside"])
                others = {z for i, z in enumerate(self.zones) if f"10.2.{i}.0/24" in outside}
                yield target["zone"], None if ANYWHERE in outside else others, target["directions"]


def severs(cut, zone: str, peer: str, path: str) -> bool:
    """Whether a cut breaks what `zone` tries towards (or, of UDP, hears of) `peer`."""
    name, others, ways = cut
    if name not in (zone, peer) or (others is not None and not others & {zone, peer}):
        return False
    return path != "udp" or ("in" if name == zone else "out") in ways
