"""Fields in which an answer may differ from the recorded one, by topic, and why."""

from __future__ import annotations

# Controllers here are done before the next call, real ones often not: what they write may be further on.
CONTROLLERS = frozenset({"conditions", "observedGeneration", "io/revision"})
# What a kubelet knows about containers, and the fake one has not got.
KUBELET = frozenset({"conditions", "containerStatuses", "hostIP", "hostIPs", "podIPs", "startTime"})
# What a kubelet knows about its machine.
MACHINE = frozenset(
    {"annotations", "addresses", "allocatable", "capacity", "daemonEndpoints", "images", "nodeInfo",
     "lastHeartbeatTime", "lastTransitionTime"}
)  # fmt: skip
IGNORE = {
    "04": frozenset({"annotations", "remainingItemCount"}),
    "05": CONTROLLERS,
    "06": CONTROLLERS,
    "07": CONTROLLERS,
    "09": KUBELET | CONTROLLERS,
    "11": CONTROLLERS,
    "12": KUBELET,
    "14": MACHINE,
    # Names are described with the words of the API's reference manual.
    "16": frozenset({"description"}),
}
