"""Two sites of a database and the name phones resolve, at the wire: Patroni's REST, SQL in a real PostgreSQL, the name.

Each site is a database of one PostgreSQL; the one that follows is read-only until its `standby_cluster` is removed.
There are the databases of as many cells as wanted: `home` and `away` of the first, `home-2` and `away-2` of the next.
"""

import contextlib
import http.server
import json
import threading

TOPOLOGY = """\
schema: stormdrill.topology/1
name: pair
environment: lab
namespace: {namespace}
regions:
  city1: {{context: city1, zones: [city1-a]}}
  city2: {{context: city2, zones: [city2-a]}}
edges: {{city1-a: "{url}", city2-a: "{url}"}}
resolver: {{url: "{url}/names/bank"}}
prometheus: {{url: "{url}"}}
services: {{db: {{selector: {{app: db}}, type: account}}}}
operations: {{balance: {{tier: A1, kind: read, deadline: 2s}}}}
cells: {cells}
databases: {databases}
audit: {{kind: none, why: a fake has no books}}
canaries: {{}}
fence: {{edges: {{selector: {{app: edge}}, socket: /run/edge.sock, backend: gateways}}}}
continuity: continuity.yaml
lock: {{namespace: {namespace}, name: drill}}
"""
FOLLOWS = {"host": "pg-a-0.pg"}
CELLS = {"main": ("home", "away", "a", "c"), "second": ("home-2", "away-2", "b", "d")}
"""By cell: the names of its two sites, and the letters of their members."""


class Sites:
    """The fakes and what was asked of them.

    `refuse_promotion`: no PATCH is taken (by that site, when it is a name); `stale`: a member's old copy.
    """

    def __init__(self, database, cells=1) -> None:
        self.database = database
        self.cells = dict(list(CELLS.items())[:cells])
        self.members = {
            site: f"pg-{letter}-0"
            for home, away, a, c in self.cells.values()
            for site, letter in ((home, a), (away, c))
        }
        self.settings = {
            site: {"standby_cluster": FOLLOWS} if site.startswith("away") else {} for site in self.members
        }
        self.drained = {"city1-a": False, "city2-a": True}
        self.calls = []
        self.refuse_promotion = False
        self.stale = {}
        self.on_patch = lambda: None
        for name, settings in self.settings.items():
            database.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            database.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')  # nobody else is ever in it
            self.writes(name, not settings)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def writes(self, name: str, allowed: bool) -> None:
        self.database.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {not allowed}')

    def promote(self, name: str = "away") -> None:
        self.settings[name].pop("standby_cluster", None)
        self.writes(name, True)

    def follow(self, name: str) -> None:
        self.settings[name]["standby_cluster"] = FOLLOWS
        self.writes(name, False)

    def topology(self, namespace: str) -> str:
        dsn = self.database.dsn.replace(" dbname=postgres", "")
        databases = {
            cell: {
                "kind": "patroni", "service": "db", "members": {f"pg-{a}-0": f"{self.url}/{home}"},
                "home": {"region": "city1", "address": f"pg-{a}-0.pg", "slot": "city1", "dsn": f"{dsn} dbname={home}"},
                "standby": {
                    "region": "city2", "members": {f"pg-{c}-0": f"{self.url}/{away}"}, "address": f"pg-{c}-0.pg",
                    "slot": "city2", "dsn": f"{dsn} dbname={away}",
                },
            }
            for cell, (home, away, a, c) in self.cells.items()
        }  # fmt: skip
        return TOPOLOGY.format(
            namespace=namespace, url=self.url, cells={cell: {} for cell in self.cells}, databases=databases
        )

    def _change(self, site: str, said: dict) -> None:
        if "standby_cluster" in said and said["standby_cluster"] is None:
            self.on_patch()
            self.calls.append(f"promote {site}")
            self.promote(site)
        elif "standby_cluster" in said:
            self.calls.append(f"demote {site}")
            self.follow(site)

    def answer(self, method: str, path: str, said: dict):
        _, site, *rest = path.split("/")
        if site == "names":
            if method == "PUT":
                self.drained[rest[-1]] = said["drained"]
                self.calls.append(f"{'drain' if said['drained'] else 'restore'} {rest[-1]}")
            edges = [{"edge": edge, "up": True, "drained": out} for edge, out in self.drained.items()]
            return {"ttl_s": 5, "edges": [e["edge"] for e in edges if not e["drained"]], "all": edges}
        if method == "PATCH" and said != {"stormdrill": None}:
            if self.refuse_promotion in (True, site):
                return None
            self._change(site, said)
        if rest == ["config"]:
            return self.stale.get(site, self.settings[site]) if method == "GET" else self.settings[site]
        if rest == ["history"]:
            return []
        follows = "standby_cluster" in self.settings[site]
        if rest == ["patroni"]:
            return {"state": "running", "role": "standby_leader" if follows else "replica", "timeline": 1,
                    "xlog": {"received_location": 1 << 60}}  # fmt: skip
        role = "standby_leader" if follows else "replica"
        return {"members": [{"name": self.members[site], "role": role, "state": "streaming", "timeline": 1}]}


def _handler(sites: Sites):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = sites.answer(self.command, self.path, json.loads(body) if body else {})
            data = json.dumps(found).encode()
            self.send_response(503 if found is None else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked may be dead by now
                self.wfile.write(data)

        do_GET = do_PUT = do_PATCH = answer  # noqa: N815

        def log_message(self, *_):
            pass

    return Handler
