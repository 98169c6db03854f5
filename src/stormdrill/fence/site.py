"""One site's fence: armed, closed, looked at, opened. What is done is written down in the site before it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from stormdrill import wait
from stormdrill.errors import ActionError, DeadlineError, StormdrillError, TargetError
from stormdrill.fence import record as kept
from stormdrill.fence.edges import Edges
from stormdrill.fence.fenced import FencedSite
from stormdrill.fence.obtained import How, Observed, obtained
from stormdrill.fence.record import ANNOTATION, FenceRecord, State
from stormdrill.kube import ApiError, Cluster, PodRef

_POLL_S = 0.25


class Tell(Protocol):
    """Appends an event to the run's history."""

    def __call__(self, kind: str, actor: str = ..., *, mono_ns: int | None = ..., **data: Any) -> object:
        """As `History.append`."""


@dataclass(frozen=True)
class Fencing:
    """Does it.

    `dead` says that an agent keeps a pod's containers killed; `writers` which members say they take writes;
    `store_lost_s` is as in `Observed`. Each of these may raise TargetError: then nothing is known.

    Every method raises TargetError (ApiError) when the site's API does not answer.
    """

    cluster: Cluster
    site: FencedSite
    tell: Tell
    edges: Edges | None = None
    writers: Callable[[], tuple[str, ...]] = tuple
    dead: Callable[[PodRef], bool] = lambda _: False
    store_lost_s: Callable[[], float | None] = lambda: None
    ttl_s: float = field(default=20.0)

    def record(self) -> FenceRecord | None:
        """The fence as it is kept."""
        return kept.read(self.cluster, self.site.namespace, self.site.cell)

    def arm(self, by: str) -> FenceRecord:
        """Note, before the site is hurt, that it will be closed, and what it has. ActionError when it is closed."""
        found = self.record()
        if found and found.state is State.CLOSED:
            raise ActionError(
                f"site {self.site.text} is closed already, by {found.by} at {found.at}: open it first"
            )
        replicas = self._replicas()
        if idle := [name for name, count in replicas.items() if count == 0]:
            raise ActionError(f"nothing to arm in {self.site.text}: {', '.join(idle)} is at 0 replicas")
        armed = self._keep(FenceRecord(self.site.region, State.ARMED, by, replicas, version=_version(found)))
        self._say("fence.armed", by, **armed.to_json())
        return armed

    def disarm(self, by: str) -> None:
        """Take back that it was armed; nothing happens to a fence that is not."""
        found = self.record()
        if found and found.state is State.ARMED:
            self._keep(replace(found, state=State.OPEN, by=by))
            self._say("fence.disarmed", by, site=self.site.region)

    def close(self, by: str, deadline_s: float = 10.0) -> FenceRecord:
        """Close the site for writers and wait until that is proven, for `deadline_s`; else say how far it holds.

        Safe to call again. What the site had is known from when it was armed, or else from now; what stands at 0
        although nobody closed it (by hand, before us) had all its members.
        """
        found = self.record()
        known = found.replicas if found and found.state is not State.OPEN else self._replicas()
        known = {name: count or len(self.site.stateful_sets[name]) for name, count in known.items()}
        shut = self.edges is not None
        closed = self._keep(
            FenceRecord(self.site.region, State.CLOSED, by, known, edges_shut=shut, version=_version(found))
        )
        self._say("fence.closing", by, **closed.to_json())
        # Both at once, and what is proven by its databases does not wait for edges that nobody reaches.
        pool = ThreadPoolExecutor(max_workers=1)
        shutting = pool.submit(self._shut_edges)
        pool.shutdown(wait=False)
        self._scale(dict.fromkeys(self.site.stateful_sets, 0), by)
        closed = self.look(by, closed, deadline_s)
        if closed.how is How.PROVEN or shutting.done():
            return closed
        shutting.result()
        return self.look(by, closed)

    def look(self, by: str, closed: FenceRecord | None = None, deadline_s: float = 0.0) -> FenceRecord:
        """Judge a closed fence by what is seen now, and keep that. A declaration stays until something better."""
        closed = closed or self.need_closed()
        how, why = None, ""

        def proven() -> bool:
            nonlocal how, why
            how, why = obtained(self.observe())
            return how is How.PROVEN

        with suppress(DeadlineError):
            wait.until(proven, deadline_s=deadline_s, what="the fence", poll_s=_POLL_S)
        if how is None and closed.how is How.DECLARED:
            return closed
        closed = self._keep(replace(closed, how=how, why=why))
        self._say("fence.closed", by, **closed.to_json())
        return closed

    def declare(self, by: str, why: str) -> FenceRecord:
        """Take somebody's word that the site takes no writes. ActionError when members say they do."""
        closed = self.look(by)
        if closed.how is not None:
            return closed
        self.need_no_writer()
        closed = self._keep(replace(closed, how=How.DECLARED, why=f"{why} (observed: {closed.why})", by=by))
        self._say("decision", by, what="fence declared", site=self.site.region, why=why)
        self._say("fence.closed", by, **closed.to_json())
        return closed

    def need_no_writer(self) -> None:
        """ActionError when a member says that it takes writes: nobody's word outweighs that."""
        if writing := self._writers():
            raise ActionError(f"cannot be declared closed: {', '.join(writing)} says that it takes writes")

    def open(self, by: str, *, edges: bool = True) -> FenceRecord:
        """Give the site its databases back, and its edges if wanted. The caller knows that nobody else writes."""
        closed = self.need_closed()
        self._scale(closed.replicas, None)
        if edges:
            self.open_edges()
            closed = self.need_closed()
        opened = self._keep(replace(closed, state=State.OPEN, how=None, why="", by=by))
        self._say("fence.opened", by, site=self.site.region, edges=edges)
        return opened

    def closed_neighbours(self) -> list[str]:
        """Other cells whose databases in this region are closed."""
        found = {
            cell: kept.read(self.cluster, namespace, cell) for cell, namespace in self.site.neighbours.items()
        }
        return [cell for cell, fence in found.items() if fence and fence.state is State.CLOSED]

    def open_edges(self) -> None:
        """Let phones through again. ActionError when an edge did not do it, or another cell is closed behind them."""
        if others := self.closed_neighbours():
            raise ActionError(f"edges of {self.site.region} stay shut: {', '.join(others)} is closed there")
        states = self.edges.let_through() if self.edges else ()
        if wrong := [edge.why or f"{edge.pod} stays shut" for edge in states if edge.shut is not False]:
            raise ActionError(f"edges of {self.site.region}: {'; '.join(wrong)}")
        for cell, namespace in {self.site.cell: self.site.namespace, **self.site.neighbours}.items():
            found = kept.read(self.cluster, namespace, cell)
            if found and found.edges_shut:
                self._keep(replace(found, edges_shut=False), namespace, cell)

    def need_closed(self) -> FenceRecord:
        """The fence. ActionError when the site is not closed."""
        found = self.record()
        if found is None or found.state is not State.CLOSED:
            raise ActionError(
                f"site {self.site.text} is not fenced ({found.state if found else 'never was'})"
            )
        return found

    def observe(self) -> Observed:
        """What is seen of the site now; never raises."""
        trouble, closed, alive = (
            "",
            False,
            tuple(pod for pods in self.site.stateful_sets.values() for pod in pods),
        )
        try:
            closed = not any(self._replicas().values())
            alive = tuple(pod.name for pod in self._members() if not self.dead(pod))
        except StormdrillError as error:
            trouble = str(error)
        writers = self._writers()
        proven = closed and not alive and not writers
        return Observed(
            closed=closed,
            alive=alive,
            writers=writers,
            # What would not make it better is not asked: dead sites answer slowly.
            store_lost_s=None if proven else self._store_lost_s(),
            ttl_s=self.ttl_s,
            edges=False if proven else self._edges_shut(),
            trouble=trouble,
        )

    def _say(self, kind: str, actor: str = "", **data: Any) -> None:
        whose: dict[str, Any] = {"cell": self.site.cell} if self.site.cell else {}
        self.tell(kind, actor, **whose, **data)

    def _members(self) -> list[PodRef]:
        """The pods of the site's members that its API still has."""
        names = {pod for pods in self.site.stateful_sets.values() for pod in pods}
        return [pod for pod in self.cluster.pods(self.site.namespace, "") if pod.name in names]

    def _writers(self) -> tuple[str, ...]:
        try:
            return self.writers()
        except TargetError:
            return ()

    def _store_lost_s(self) -> float | None:
        try:
            return self.store_lost_s()
        except TargetError:
            return None

    def _edges_shut(self) -> bool:
        try:
            states = self.edges.look() if self.edges else ()
        except StormdrillError:
            return False
        return bool(states) and all(edge.shut for edge in states)

    def _shut_edges(self) -> None:
        if self.edges is None:
            return
        try:
            states = self.edges.shut()
        except StormdrillError as error:
            self._say("edge.failed", site=self.site.region, why=str(error))
            return
        for edge in states:
            self._say(
                "edge.shut" if edge.shut else "edge.failed", edge=edge.pod, zone=edge.zone, why=edge.why
            )

    def _path(self, name: str) -> str:
        return f"/apis/apps/v1/namespaces/{self.site.namespace}/statefulsets/{name}"

    def _replicas(self) -> dict[str, int]:
        found = {}
        for name in self.site.stateful_sets:
            found[name] = int(self.cluster.get(self._path(name))["spec"].get("replicas", 1))
        return found

    def _scale(self, replicas: Mapping[str, int], by: str | None) -> None:
        for name, count in replicas.items():
            patch = {"metadata": {"annotations": {ANNOTATION: by}}, "spec": {"replicas": count}}
            self.cluster.patch(self._path(name), patch)

    def _keep(self, record: FenceRecord, namespace: str = "", cell: str = "") -> FenceRecord:
        """Keep this site's fence, or a neighbour's."""
        try:
            return kept.write(self.cluster, namespace or self.site.namespace, record, cell or self.site.cell)
        except ApiError as error:
            if error.conflict:
                raise ActionError(
                    f"the fence of {self.site.text} was changed by somebody else just now: look again"
                ) from None
            raise


def _version(found: FenceRecord | None) -> str:
    return found.version if found else ""
