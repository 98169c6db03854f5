"""Replays a recorded conversation with a real API server against ours and says where the answers differ.

Recorded uids, resourceVersions, generated names and addresses are real but arbitrary: the first time one
shows up in an answer, ours at the same place takes its part, in later requests too. Times are only
compared as present or absent; conditions are compared type by type, in any order. A watch runs beside
the calls, and its events are compared in order.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from .stories import stories

RECORDED = Path(__file__).parent / "recorded"
# What a controller or kubelet needs may take a moment in the recording; ours get as long.
GAP_S = 0.15
SETTLE_S = 4.0
# Watches whose events are not counted: nothing has come for so long after the last call.
QUIET_S = 0.2
# Arbitrary, but the same thing must keep the same value.
_LOOSE = {
    "uid",
    "resourceVersion",
    "continue",
    "pod-template-hash",
    "currentRevision",
    "updateRevision",
    "controller-revision-hash",
    # Of a ControllerRevision: what follows the last dot of the label's name.
    "io/hash",
}
# Whatever the cluster gives out.
# Which node a pod is on, also where a DaemonSet asks for it.
_NODE = re.compile(r"^node-[abc]$")
_ANY = {"clusterIP", "clusterIPs", "podIP", "hostIP", "ip", "nodeName", "zone", "containerID", "imageID"}
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"current: \d+$"), "current: N"),
    # The hash of a template, in the name of its ReplicaSet.
    (re.compile(r'((?:ReplicaSet|replica set) "[a-z-]+-)[a-z0-9]+"'), r'\1HASH"'),
    (re.compile(r'(pods "[a-z-]+-)[a-z0-9]{6,10}-"'), r'\1HASH-"'),
    (re.compile(r"^(too old resource version: \d+) \(\d+\)$"), r"\1"),
)
# Cells of a Table: ages, addresses, nodes, and how the node describes itself.
_CELLS = (
    (re.compile(r"^\d+[smhd](\d+[smh])?$"), "AGE"),
    (re.compile(r"10\.\d+\.\d+\.\d+"), "IP"),
    (re.compile(r"^node-[abc]$"), "NODE"),
)
Hook = Callable[[], Awaitable[None]]
Calls = list[dict[str, Any]]


@dataclass
class Difference:
    topic: str
    id: int
    what: str
    detail: str


@dataclass
class Replay:
    topic: str
    url: str
    users: dict[str, str] = field(default_factory=dict)
    # Of an API that is not ours: how it is asked.
    headers: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    before: dict[int, Hook] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    # Watches of which the states are compared that each object went through, however many writes brought them.
    states: frozenset[int] = frozenset()
    # What to wait for before what changes something, where the recording waited too.
    settled: Hook | None = None
    # Calls whose hook happens while watches of a fixed time are open.
    beside: frozenset[int] = frozenset()
    # Whether a list's version means something later; elsewhere it is whatever was written last.
    list_versions: bool = False
    known: dict[str, str] = field(default_factory=dict)
    # What of a recording cannot be replayed as it is, taken out of it.
    amend: Callable[[Calls], Calls] = lambda calls: calls
    found: list[Difference] = field(default_factory=list)
    played: list[int] = field(default_factory=list)
    _watches: list[asyncio.Task[None]] = field(default_factory=list)
    _of_list: bool = False
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    # When each watch that is compared by states ended, and what ends it here.
    _ending: list[tuple[float, asyncio.Event, asyncio.Task[None]]] = field(default_factory=list)

    async def run(self, skip: frozenset[int] = frozenset()) -> None:
        path = next(RECORDED.glob(f"{self.topic}-*.json"))
        last = 0.0
        timeout = aiohttp.ClientTimeout(total=20)
        connector = aiohttp.TCPConnector(ssl=self.tls or True)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, auto_decompress=False
        ) as self._session:
            for call in self.amend(json.loads(path.read_text())):
                if (hook := self.before.get(call["id"])) is not None:
                    if call["id"] not in self.beside:
                        await self._join_timed()
                    await hook()
                if call["request"] is None or call["id"] in skip:
                    continue
                self.played.append(call["id"])
                waited, last = call["t"] - last > GAP_S, call["t"]
                await self._close_before(call["t"])
                if waited and self.settled is not None and call["request"]["method"] != "GET":
                    await self.settled()
                await self._play(call, eventually=waited)
            await self._close_before(float("inf"))
            self._over.set()
            await self._join()

    async def _close_before(self, moment: float) -> None:
        """End the watches that had ended when a call was recorded, once they have seen what came before."""
        for ends, over, task in self._ending:
            if ends < moment and not over.is_set():
                if self.settled is not None:
                    await self.settled()
                over.set()
                await task

    async def _join(self) -> None:
        await asyncio.gather(*self._watches)
        self._watches.clear()

    async def _join_timed(self) -> None:
        """Let watches that end by their timeout end: they must not see what came after."""
        await asyncio.gather(*(task for task in self._watches if task.get_name() == "timed"))

    async def _play(self, call: dict[str, Any], *, eventually: bool) -> None:
        request, response = call["request"], call["response"]
        if "events" in response:
            if request["query"].get("timeoutSeconds"):
                request["query"]["timeoutSeconds"] = "1"
            ready, over = asyncio.Event(), self._over
            if call["id"] in self.states:
                over = asyncio.Event()
            task = asyncio.ensure_future(self._watch(call, ready, over))
            self._watches.append(task)
            if call["id"] in self.states:
                self._ending.append((call["t"] + response["end_t"], over, task))
            await asyncio.wait_for(ready.wait(), 5)
            return
        if request["method"] != "GET":
            await self._join_timed()
        deadline = asyncio.get_running_loop().time() + (
            SETTLE_S if eventually and request["method"] == "GET" else 0
        )
        while True:
            status, headers, body = await self._ask(call)
            known = dict(self.known)
            self._learn(response.get("body"), body)
            differences = self._compare(call, status, headers, body)
            if not differences or asyncio.get_running_loop().time() >= deadline:
                self.found += differences
                return
            self.known = known
            await asyncio.sleep(0.02)

    def _translate(self, text: str) -> str:
        for old in sorted(self.known, key=len, reverse=True):
            if len(old) > 8 or not old.isdigit():
                text = text.replace(old, self.known[old])
            else:
                text = re.sub(rf"(?<![\w.-]){old}(?![\w.-])", self.known[old], text)
        return text

    def _request(self, call: dict[str, Any]) -> dict[str, Any]:
        request = call["request"]
        headers = {name: value for name, value in request["headers"].items() if value}
        token = self.users.get(call.get("as") or "", "" if self.tls else "admin-token")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        headers |= self.headers
        body = request["body"]
        if isinstance(body, dict) and body.keys() == {"cut"}:
            size = (1 << 20) + 1 if "of" in body["cut"] else 3 * (1 << 20) + 1
            body = {"metadata": {"name": "big"}, "data": {"k": "x" * size}}
        data = body if isinstance(body, str) else None if body is None else json.dumps(body)
        query = {key: self._translate(value) for key, value in request["query"].items()}
        kwargs: dict[str, Any] = {"headers": headers, "params": query}
        if data is not None:
            kwargs["data"] = self._translate(data).encode()
        if "content-type" not in request["headers"]:
            kwargs["skip_auto_headers"] = ["Content-Type"]
        return kwargs

    async def _ask(self, call: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        request = call["request"]
        url = self.url + self._translate(request["path"])
        async with self._session.request(request["method"], url, **self._request(call)) as answer:
            text = (await answer.read()).decode()
            headers = {key.lower(): value for key, value in answer.headers.items()}
            if headers.get("content-type", "").startswith("application/json") and text:
                return answer.status, headers, json.loads(text)
            return answer.status, headers, text

    async def _watch(self, call: dict[str, Any], ready: asyncio.Event, closed: asyncio.Event) -> None:
        request, response = call["request"], call["response"]
        url = self.url + self._translate(request["path"])
        wanted = [item["event"] for item in response["events"] if "event" in item]
        timed = response["end"] == "closed by server"
        task = asyncio.current_task()
        if timed and task is not None:
            task.set_name("timed")
        got: list[Any] = []
        timeout = aiohttp.ClientTimeout(total=120)
        async with self._session.get(url, timeout=timeout, **self._request(call)) as answer:
            ready.set()
            if answer.status != response["status"]:
                self._differ(call, "status", f"{answer.status}, recorded {response['status']}")
            by_states = call["id"] in self.states
            while timed or by_states or len(got) < len(wanted):
                line = await self._line(answer.content, closed, timed=timed)
                if not line:
                    break
                got.append(json.loads(line))
        if call["id"] in self.states:
            self._compare_stories(call, wanted, got)
            return
        for index, (old, new) in enumerate(zip(wanted, got, strict=False)):
            self._learn(old, new)
            for path, detail in self._diff(old, new, f"event {index}", exact=True):
                self._differ(call, path, detail)
        if len(wanted) != len(got):
            shown = [item["type"] for item in got]
            self._differ(call, "events", f"{shown}, recorded {[item['type'] for item in wanted]}")

    def _compare_stories(self, call: dict[str, Any], wanted: list[Any], got: list[Any]) -> None:
        """Object by object, in the order in which they came: its states, and what it was first and last."""
        before, after = stories(wanted), stories(got)
        if len(before) != len(after):
            self._differ(call, "objects", f"{len(after)}, recorded {len(before)}")
        for index, (old, new) in enumerate(zip(before, after, strict=False)):
            if not new.follows(old):
                self._differ(call, f"object {index}", f"{new.states}, recorded {old.states}")
            for which, pair in (("first", (old.first, new.first)), ("last", (old.last, new.last))):
                self._learn(*pair)
                for path, detail in self._diff(*pair, f"object {index}.{which}", exact=True):
                    self._differ(call, path, detail)

    async def _line(self, stream: aiohttp.StreamReader, closed: asyncio.Event, *, timed: bool) -> bytes:
        """The next event; empty at the end, or when none has come for a while after the last call was played."""
        line = asyncio.ensure_future(stream.readline())
        if not timed:
            over = asyncio.ensure_future(closed.wait())
            await asyncio.wait((line, over), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((line,), timeout=SETTLE_S if closed is self._over else QUIET_S)
            over.cancel()
            if not line.done():
                line.cancel()
                return b""
        return await line

    def _differ(self, call: dict[str, Any], what: str, detail: str) -> None:
        self.found.append(Difference(self.topic, call["id"], what, detail))

    def _compare(
        self, call: dict[str, Any], status: int, headers: dict[str, str], body: Any
    ) -> list[Difference]:
        response = call["response"]
        found = []
        if status != response["status"]:
            found.append(
                Difference(self.topic, call["id"], "status", f"{status}, recorded {response['status']}")
            )
        for name in ("retry-after", "warning", "www-authenticate"):
            if headers.get(name) != response["headers"].get(name):
                detail = f"{headers.get(name)!r}, recorded {response['headers'].get(name)!r}"
                found.append(Difference(self.topic, call["id"], name, detail))
        cut = "cut" in (call.get("note") or "")
        # Controllers may write between two calls, and so may have other versions of the whole than recorded.
        kind = body.get("kind") if isinstance(body, dict) else None
        self._of_list = not self.list_versions and str(kind).endswith(("List", "Table"))
        for path, detail in self._diff(response.get("body"), body, "body", exact=not cut):
            found.append(Difference(self.topic, call["id"], path, detail))
        return found

    def _diff(self, old: Any, new: Any, path: str, *, exact: bool) -> list[tuple[str, str]]:
        """Return (path, detail) of what differs; without `exact` only what was recorded counts."""
        key = path.rpartition(".")[2].partition("[")[0]
        of_list = self._of_list and path == "body.metadata.resourceVersion" and bool(old and new)
        if of_list or key in self.ignore or path in self.ignore:
            return []
        if isinstance(old, dict) and isinstance(new, dict):
            if "metadata" in old and "uid" in new.get("metadata", {}) and "uid" not in old["metadata"]:
                exact = False  # an object that was cut when it was recorded
            names = set(old.keys() | new.keys() if exact else old.keys())
            if "generateName" in old and str(new.get("name")).startswith(old["generateName"]):
                names.discard("name")
            return [
                item
                for name in sorted(names)
                for item in self._diff(old.get(name), new.get(name), f"{path}.{name}", exact=exact)
            ]
        if isinstance(old, list) and isinstance(new, list):
            new = self._aligned(old, new)
            if len(old) != len(new):
                return [(path, f"{len(new)} items, recorded {len(old)}")]
            return [
                item
                for index, pair in enumerate(zip(old, new, strict=True))
                for item in self._diff(*pair, f"{path}[{index}]", exact=exact)
            ]
        if self._same(old, new, key):
            return []
        return [(path, f"{json.dumps(new)[:300]}, recorded {json.dumps(old)[:300]}")]

    def _same(self, old: Any, new: Any, key: str) -> bool:
        if old == new:
            return True
        if not isinstance(old, str) or not isinstance(new, str):
            return False
        if key == "values" and _NODE.match(old) and _NODE.match(new):
            return True
        if (key in _ANY and old and new) or (key in _LOOSE and old not in self.known):
            return True
        old = self._translate(old)
        for pattern, mask in (*_MASKS, *(_CELLS if key in {"cells", "addresses"} else ())):
            old, new = pattern.sub(mask, old), pattern.sub(mask, new)
        return old == new

    def _learn(self, old: Any, new: Any) -> None:
        """Note which of our arbitrary values stands for which recorded one."""
        if isinstance(old, dict) and isinstance(new, dict):
            if str(old.get("kind")).endswith(("List", "Table")) and not self.list_versions:
                old = {key: value for key, value in old.items() if key != "metadata"}
            generated = "generateName" in old
            for name, value in old.items():
                other = new.get(name)
                loose = name in _LOOSE or (name == "name" and generated)
                if loose and isinstance(value, str) and isinstance(other, str) and value:
                    self.known.setdefault(value, other)
                else:
                    self._learn(value, other)
        elif isinstance(old, list) and isinstance(new, list):
            for pair in zip(old, self._aligned(old, new), strict=False):
                self._learn(*pair)

    def _aligned(self, old: list[Any], new: list[Any]) -> list[Any]:
        """Put ours in the recorded order where names that are made up are known already: lists go by name."""
        place = {self._translate(name): index for index, name in enumerate(map(_named, old)) if name}
        if len(place) != len(old) or {_named(item) for item in new} != place.keys():
            return new
        return sorted(new, key=lambda item: place[_named(item)])


def _named(item: Any) -> str:
    """What tells an item of a list from the others: its name, or a condition's type."""
    if isinstance(item, dict) and "lastTransitionTime" in item:
        return str(item["type"])
    parts = (item.get("metadata"), item.get("targetRef")) if isinstance(item, dict) else ()
    return next((str(part["name"]) for part in parts if isinstance(part, dict) and "name" in part), "")
