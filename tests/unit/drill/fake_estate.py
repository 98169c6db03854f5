"""Kubernetes API, Patroni members and Prometheus in one process, as far as a drill asks: fakes at the wire.

Deleting a pod ends its held execs with exit code 137 and brings a ready replacement after `replace_s`.
POST /_behave changes behaviour: {"replace_s": 0.3, "exec": "held" | "refused" | "survives" | "lost",
"delete": "ok" | "refused", "age_s": 0, "prometheus": "ok" | "silent", "rest": "ok" | "silent" | "leader" |
"gone" (of the members: which do not speak for themselves; gone: not at all), "standby": "sync" | "async",
"crash": "failover" | "restart" | "nothing" | "fails", "lease": "ok" | "refused", "pods": "ready" | "unready",
"clock_s": 0 (of Prometheus, ahead of this machine), "failing": "" (queries with this text in it)}.
GET /_calls lists the calls that changed something.

Faults, their agents and canaries: `fake_agents`.

The pods db-0 (leader, zone z1) and db-1 are a Patroni pair; exec of a command with `crash` in it crashes the
leader.
"""

import asyncio
import json
import time
import uuid
from typing import Any

from aiohttp import WSMsgType, web

from unit.drill.fake_agents import Agents, node_of  # what starts fakes stands in tests/

ZONES = ("z1", "z2", "z3")  # in the last one nothing runs but an agent and a canary
BUSY = ZONES[:2]


class Estate:
    def __init__(self) -> None:
        self.behave = {"replace_s": 0.3, "exec": "held", "delete": "ok", "age_s": 0.0, "prometheus": "ok"}
        self.pods: dict[str, dict[str, Any]] = {}
        self.leases: dict[str, dict[str, Any]] = {}
        self.held: dict[str, list[asyncio.Event]] = {}
        self.calls: list[str] = []
        self.version = 1
        self.tasks: set[asyncio.Task[None]] = set()
        self.behave |= {"crash": "failover", "rest": "ok", "standby": "sync", "lease": "ok", "pods": "ready"}
        self.behave |= {"clock_s": 0.0, "failing": ""}
        self.behave |= {"agents": "ok", "canaries": "ok"}
        self.agents = Agents(self.behave, ZONES)
        self.leader: str | None = "db-0"
        self.started: dict[str, str | None] = {"db-0": "start-1", "db-1": "start-1"}
        for zone in BUSY:
            for _ in range(2):
                self.new_pod("web", zone)
        self.new_pod("db", "z1", "db-0")
        self.new_pod("db", "z2", "db-1")

    def new_pod(self, app: str, zone: str, name: str = "") -> None:
        name, uid = name or f"{app}-{zone}-{uuid.uuid4().hex[:5]}", str(uuid.uuid4())
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.pods[name] = {
            "metadata": {
                "name": name, "namespace": "shop", "uid": uid, "labels": {"app": app},
                "creationTimestamp": now, "resourceVersion": str(self.version),
            },
            "spec": {"nodeName": f"node-{zone}"},
            "status": {
                "phase": "Running", "startTime": now, "podIP": "10.0.0.1",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    {"name": app, "containerID": f"x://{uid}", "ready": True, "restartCount": 0,
                     "state": {"running": {"startedAt": now}}}
                ],
            },
        }  # fmt: skip

    def status(self, code: int, reason: str, message: str) -> web.Response:
        body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
        return web.json_response(body, status=code)

    async def namespace(self, request: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": request.match_info["name"], "uid": "cluster-1"}})

    async def nodes(self, request: web.Request) -> web.Response:
        wanted = request.query.get("labelSelector", "").rpartition("=")[2]
        items = [node_of(i, zone) for i, zone in enumerate(ZONES) if wanted in ("", zone)]
        return web.json_response({"kind": "NodeList", "metadata": {}, "items": items})

    async def list_pods(self, request: web.Request) -> web.Response:
        wanted = dict(part.split("=") for part in request.query.get("labelSelector", "").split(",") if part)
        items = [pod for pod in self.pods.values() if wanted.items() <= pod["metadata"]["labels"].items()]
        if node := request.query.get("fieldSelector", "").partition("spec.nodeName=")[2]:
            items = [pod for pod in items if pod["spec"]["nodeName"] == node]
        if self.behave["pods"] == "unready":
            unready = {"conditions": [{"type": "Ready", "status": "False"}]}
            items = [{**pod, "status": {**pod["status"], **unready}} for pod in items]
        return web.json_response({"kind": "PodList", "metadata": {}, "items": items})

    async def get_pod(self, request: web.Request) -> web.Response:
        pod = self.pods.get(request.match_info["pod"])
        return web.json_response(pod) if pod else self.status(404, "NotFound", "no such pod")

    async def delete_pod(self, request: web.Request) -> web.Response:
        options = await request.json()
        pod = self.pods.get(request.match_info["pod"])
        if pod is None:
            return self.status(404, "NotFound", "no such pod")
        if self.behave["delete"] == "refused":
            return self.status(403, "Forbidden", "pods is forbidden")
        if options.get("preconditions", {}).get("uid", pod["metadata"]["uid"]) != pod["metadata"]["uid"]:
            return self.status(409, "Conflict", "uid differs")
        self.calls.append(f"DELETE {pod['metadata']['name']} grace={options.get('gracePeriodSeconds')}")
        del self.pods[pod["metadata"]["name"]]
        if self.behave["exec"] != "survives":
            for event in self.held.pop(pod["metadata"]["uid"], []):
                event.set()
        if self.behave["replace_s"] is not None:
            task = asyncio.create_task(self.replace(pod))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return web.json_response(pod)

    async def replace(self, pod: dict[str, Any]) -> None:
        app, name = pod["metadata"]["labels"]["app"], pod["metadata"]["name"]
        if app == "db":
            await self.lose_leader(restart=False)
        await asyncio.sleep(self.behave["replace_s"])
        self.new_pod(app, pod["spec"]["nodeName"].removeprefix("node-"), name if app == "db" else "")

    async def lose_leader(self, *, restart: bool) -> None:
        old = self.leader
        assert old is not None
        self.leader, self.started[old] = None, None
        await asyncio.sleep(0.3)
        self.leader = old if restart else next(name for name in self.started if name != old)
        self.started[old] = "start-2"

    async def member(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.behave["rest"] in ("silent", "gone") or (self.behave["rest"], name) == (
            "leader",
            self.leader,
        ):
            await asyncio.sleep(3600)
        up = self.started[name] is not None
        said: dict[str, Any] = {
            "state": "running" if up else "stopped", "role": "primary" if name == self.leader else "replica",
            "timeline": 1, "patroni": {"name": name, "scope": "main"},
        }  # fmt: skip
        if up:
            said["postmaster_start_time"] = self.started[name]
        if name == self.leader:
            said["replication"] = [
                {"application_name": other, "sync_state": self.behave["standby"], "state": "streaming"}
                for other in self.started
                if other != name and self.started[other]
            ]
        return web.json_response(said)

    async def members(self, _: web.Request) -> web.Response:
        if self.behave["rest"] == "gone":
            await asyncio.sleep(3600)
        role = {True: "leader", False: "sync_standby"}
        listed = [
            {"name": name, "role": role[name == self.leader] if started else "replica",
             "state": "running" if started else "stopped", "timeline": 1, "lag": 0}
            for name, started in self.started.items()
        ]  # fmt: skip
        return web.json_response({"scope": "main", "members": listed})

    async def crash(self, socket: web.WebSocketResponse) -> None:
        """The crash command: what it does, and its exit code."""
        how = self.behave["crash"]
        if how in ("failover", "restart"):
            task = asyncio.create_task(self.lose_leader(restart=how == "restart"))
            self.tasks.add(task)
            self.calls.append("CRASH")
        status: dict[str, Any] = {"status": "Success"}
        if how == "fails":
            await socket.send_bytes(b"\x02no such file\n")
            causes = [{"reason": "ExitCode", "message": "1"}]
            status = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
        await socket.send_bytes(b"\x03" + json.dumps(status).encode())
        await socket.close()

    async def exec(self, request: web.Request) -> web.StreamResponse:
        pod = self.pods.get(request.match_info["pod"])
        if pod is None or self.behave["exec"] == "refused":
            return self.status(403, "Forbidden", "pods/exec is forbidden")
        socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await socket.prepare(request)
        if "crash" in request.query.getall("command"):
            await self.crash(socket)
            return socket
        await socket.send_bytes(b"\x01held\n")
        killed = asyncio.Event()
        self.held.setdefault(pod["metadata"]["uid"], []).append(killed)
        gone = asyncio.create_task(self.until_closed(socket))
        await asyncio.wait([gone, asyncio.create_task(killed.wait())], return_when=asyncio.FIRST_COMPLETED)
        if not gone.done() and self.behave["exec"] == "held":
            causes = [{"reason": "ExitCode", "message": "137"}]
            failure = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
            await socket.send_bytes(b"\x03" + json.dumps(failure).encode())
        await socket.close()
        return socket

    @staticmethod
    async def until_closed(socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type in (WSMsgType.CLOSE, WSMsgType.ERROR):
                return

    async def lease(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.behave["lease"] == "refused":
            return self.status(403, "Forbidden", "leases is forbidden")
        lease = self.leases.get(name)
        if request.method == "GET":
            return web.json_response(lease) if lease else self.status(404, "NotFound", "no such lease")
        if lease is None:
            return self.status(404, "NotFound", "no such lease")
        body = await request.json()
        if request.method == "DELETE":
            self.calls.append(f"DELETE lease {name}")
            del self.leases[name]
            return web.json_response({"kind": "Status", "status": "Success"})
        if body["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            return self.status(409, "Conflict", "changed meanwhile")
        return web.json_response(self.store_lease(name, body))

    async def create_lease(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["metadata"]["name"] in self.leases:
            return self.status(409, "AlreadyExists", "there is one")
        self.calls.append(f"CREATE lease {body['metadata']['name']}")
        return web.json_response(self.store_lease(body["metadata"]["name"], body), status=201)

    def store_lease(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        meta = {**body["metadata"], "resourceVersion": str(self.version), "uid": f"uid-{name}"}
        self.leases[name] = {**body, "metadata": meta}
        return self.leases[name]

    async def query(self, request: web.Request) -> web.StreamResponse:
        if self.behave["prometheus"] == "silent":
            await asyncio.sleep(3600)
        values = {**request.query, **(await request.post())}
        now, asked = time.time(), values["query"]
        if asked.count("(") != asked.count(")"):
            return self.wrong("bad_data", "parse error: unclosed left parenthesis", 400)
        if self.behave["failing"] and self.behave["failing"] in asked:
            return self.wrong("execution", "found duplicate series", 422)
        value = str(self.behave["age_s"]) if "timestamp" in asked else "1"
        value = str(now + self.behave["clock_s"]) if asked == "time()" else value
        if request.path.endswith("query_range"):
            start, end, step = (float(values[name]) for name in ("start", "end", "step"))
            samples = [[start + i * step, "1"] for i in range(int((end - start) / step) + 1)]
            data = {"resultType": "matrix", "result": [{"metric": {"job": "web"}, "values": samples}]}
        elif asked == "stormdrill_canary_up":
            data = {"resultType": "vector", "result": self.agents.flows()}
        else:
            data = {"resultType": "vector", "result": [{"metric": {"job": "web"}, "value": [now, value]}]}
        return web.json_response({"status": "success", "data": data})

    def wrong(self, kind: str, error: str, code: int) -> web.Response:
        return web.json_response({"status": "error", "errorType": kind, "error": error}, status=code)

    async def set_behaviour(self, request: web.Request) -> web.Response:
        self.behave.update(await request.json())
        return web.json_response({})

    async def get_calls(self, _: web.Request) -> web.Response:
        return web.json_response([*self.calls, *self.agents.log])


async def serve(port: int) -> None:
    estate = Estate()
    leases = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    app = web.Application()
    app.add_routes(
        [
            web.get("/api/v1/namespaces/{name}", estate.namespace),
            web.get("/api/v1/nodes", estate.nodes),
            web.get("/api/v1/pods", estate.list_pods),
            *estate.agents.routes(),
            web.get("/api/v1/namespaces/shop/pods", estate.list_pods),
            web.get("/api/v1/namespaces/shop/pods/{pod}", estate.get_pod),
            web.delete("/api/v1/namespaces/shop/pods/{pod}", estate.delete_pod),
            web.get("/api/v1/namespaces/shop/pods/{pod}/exec", estate.exec),
            web.post(leases, estate.create_lease),
            web.route("*", leases + "/{name}", estate.lease),
            web.route("*", "/api/v1/query", estate.query),
            web.route("*", "/api/v1/query_range", estate.query),
            web.get("/members/{name}/patroni", estate.member),
            web.get("/members/{name}/cluster", estate.members),
            web.post("/_behave", estate.set_behaviour),
            web.get("/_calls", estate.get_calls),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
