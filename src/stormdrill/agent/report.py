"""What the agent tells and asks the API server besides the watch, in a thread of its own: no revert waits for it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from stormdrill.agent.access import Access
from stormdrill.agent.api import Api, Refused
from stormdrill.agent.watch import FAULTS, Contact, Inbox, Json
from stormdrill.errors import TargetError
from stormdrill.faultspec import NodeStatus, status_body

_RETRY_S = 0.5
_KEYS = ("why", "reason", "appliedAt", "revertedAt", "tookMs", "agent", "evidence")


@dataclass(frozen=True)
class Pods:
    """The pods of this node, or why they cannot be told."""

    items: tuple[Json, ...]
    why: str = ""


class Reporter:
    """Tells each fault's latest status until the API has taken it, and asks for the node's pods when wanted."""

    def __init__(self, access: Access, node: str, inbox: Inbox, contact: Contact) -> None:
        self._api = Api(access)
        self._node = node
        self._inbox = inbox
        self._contact = contact
        self._changed = threading.Condition()
        self._untold: dict[str, tuple[str, dict[str, Any]]] = {}
        self._pods_wanted = False
        self._trouble = ""

    def tell(self, uid: str, name: str, status: NodeStatus | Mapping[str, Any]) -> None:
        """Have this said of the fault called `name`, in place of anything not yet said."""
        said = status_body(status) if isinstance(status, NodeStatus) else dict(status)
        # What is not there any more is taken away: a merge would leave it.
        entry = {**dict.fromkeys(_KEYS), **said}
        with self._changed:
            self._untold[uid] = (name, entry)
            self._changed.notify_all()

    def forget(self, uid: str) -> None:
        """The object is gone; a namesake is none of its business."""
        with self._changed:
            self._untold.pop(uid, None)
            self._changed.notify_all()

    def ask_pods(self) -> None:
        """Have a `Pods` put into the inbox."""
        with self._changed:
            self._pods_wanted = True
            self._changed.notify_all()

    def told(self, within_s: float) -> bool:
        """Wait until everything is said; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._untold, within_s)

    def run(self) -> None:
        """The thread's body."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._untold or self._pods_wanted)
                asked, self._pods_wanted = self._pods_wanted, False
                untold = dict(self._untold)
            if asked:
                self._inbox.put(self._pods())
            done = [self._tell(uid, *said) for uid, said in untold.items()]
            if not all(done):
                self._rest()

    def _rest(self) -> None:
        """Until it is time to try again, or somebody wants the pods."""
        end = time.monotonic() + _RETRY_S
        with self._changed:
            self._changed.wait_for(lambda: self._pods_wanted, max(0.0, end - time.monotonic()))

    def _tell(self, uid: str, name: str, entry: dict[str, Any]) -> bool:
        """Whether that is done with: said, or nobody is there to hear it. A namesake (another uid) is a conflict."""
        body = {"metadata": {"uid": uid}, "status": {"nodes": {self._node: entry}}}
        try:
            self._api.merge(f"{FAULTS}/{quote(name)}/status", body)
            self._contact.now()
        except Refused as error:
            if error.status not in (404, 422):
                return self._cannot(error)
            if error.status == 422:
                self._cannot(error)
        except (TargetError, OSError) as error:
            return self._cannot(error)
        with self._changed:
            if self._untold.get(uid) == (name, entry):
                del self._untold[uid]
            self._changed.notify_all()
        return True

    def _cannot(self, error: Exception) -> bool:
        if str(error) != self._trouble:  # once is enough
            self._trouble = str(error)
            print(f"the status cannot be told: {error}", file=sys.stderr, flush=True)
        return False

    def _pods(self) -> Pods:
        try:
            listed = self._api.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{quote(self._node)}")
            self._contact.now()
            return Pods(tuple(listed.get("items") or ()))
        except (TargetError, OSError) as error:
            return Pods((), str(error))
