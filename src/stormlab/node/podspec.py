"""A pod as the node runs it: parsed from the API's object, anything that would change meaning refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from stormlab.errors import LabError

Object = Mapping[str, Any]
ProbeKind = Literal["startup", "readiness", "liveness", "postStart", "preStop"]


_HOOKS: tuple[Literal["postStart", "preStop"], ...] = ("postStart", "preStop")


class UnsupportedPodError(LabError):
    """The pod asks for something this node does not understand; running it anyway would be a lie."""


@dataclass(frozen=True)
class Probe:
    """When and how to ask a container how it is, or to tell it that it has started or will be stopped."""

    kind: ProbeKind
    method: Literal["http", "tcp", "exec"]
    port: int = 0
    path: str = "/"
    scheme: str = "HTTP"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    initial_delay_s: int = 0
    period_s: int = 10
    timeout_s: int = 1
    successes: int = 1
    failures: int = 3
    grace_s: int | None = None
    """For the end of a container that failed it, where that is not the pod's."""


@dataclass(frozen=True)
class Hook:
    """What happens after a container's start or before its stop."""

    kind: Literal["postStart", "preStop"]
    question: Probe | None
    """None for a pause."""
    pause_s: float = 0.0


@dataclass(frozen=True)
class VolumeMount:
    """Where a container wants a volume."""

    volume: str
    path: str
    sub_path: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class Container:
    """One container of a pod."""

    name: str
    image: str
    command: tuple[str, ...]
    """Program and arguments, `$(NAME)` not yet replaced."""
    working_dir: str
    env: Sequence[Object]
    env_from: Sequence[Object]
    mounts: tuple[VolumeMount, ...]
    probes: tuple[Probe, ...]
    user: int
    group: int
    read_only_root: bool
    privileged: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)
    hooks: tuple[Hook, ...] = ()
    non_root: bool = False
    never_pulled: bool = False
    """It must not run as root."""
    capabilities_added: tuple[str, ...] = ()
    capabilities_dropped: tuple[str, ...] = ()

    def probe(self, kind: ProbeKind) -> Probe | None:
        """The probe of that kind, None when there is none."""
        return next((probe for probe in self.probes if probe.kind == kind), None)

    def hook(self, kind: str) -> Hook | None:
        """The hook of that kind, None when there is none."""
        return next((hook for hook in self.hooks if hook.kind == kind), None)


@dataclass(frozen=True)
class PodSpec:
    """What the node has to keep running."""

    uid: str
    namespace: str
    name: str
    containers: tuple[Container, ...]
    inits: tuple[Container, ...] = ()
    """They prepare the pod, one after the other, before its containers start."""
    volumes: Mapping[str, Object] = field(default_factory=dict)
    restart_policy: str = "Always"
    grace_s: int = 30
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False
    host_pid: bool = False
    metadata: Object = field(default_factory=dict)
    spec: Object = field(default_factory=dict)

    @property
    def every_container(self) -> tuple[Container, ...]:
        """Those that prepare it, and its own."""
        return (*self.inits, *self.containers)

    @property
    def label(self) -> str:
        """As people name it."""
        return f"{self.namespace}/{self.name}"


def parse(pod: Object) -> PodSpec:
    """Read a Pod object; what the lab cannot honour the API has refused. Raises UnsupportedPodError."""
    spec, metadata = pod["spec"], pod["metadata"]
    security = spec.get("securityContext") or {}
    try:
        containers = tuple(_container(part, security) for part in spec["containers"])
        inits = tuple(_container(part, security) for part in spec.get("initContainers") or ())
    except (KeyError, TypeError, ValueError) as error:
        raise UnsupportedPodError(f"cannot be understood: {error!r}") from error
    return PodSpec(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        containers=containers,
        inits=inits,
        volumes={volume["name"]: volume for volume in spec.get("volumes") or ()},
        restart_policy=spec.get("restartPolicy") or "Always",
        grace_s=_or(spec.get("terminationGracePeriodSeconds"), 30),
        hostname=spec.get("hostname") or metadata["name"],
        subdomain=spec.get("subdomain") or "",
        host_network=bool(spec.get("hostNetwork")),
        host_pid=bool(spec.get("hostPID")),
        metadata=metadata,
        spec=spec,
    )


def _container(part: Object, pod_security: Object) -> Container:
    security = {**pod_security, **(part.get("securityContext") or {})}
    ports = {port.get("name"): port["containerPort"] for port in part.get("ports") or ()}
    kinds: tuple[ProbeKind, ...] = ("startup", "readiness", "liveness")
    probes = [_probe(kind, part.get(f"{kind}Probe"), ports) for kind in kinds]
    lifecycle, resources = part.get("lifecycle") or {}, part.get("resources") or {}
    hooks = [_hook(kind, lifecycle.get(kind), ports) for kind in _HOOKS]
    user = int(security.get("runAsUser") or 0)
    return Container(
        name=part["name"],
        image=part.get("image") or "",
        never_pulled=part.get("imagePullPolicy") == "Never",
        command=(*(part.get("command") or ()), *(part.get("args") or ())),
        working_dir=part.get("workingDir") or "/",
        env=part.get("env") or (),
        env_from=part.get("envFrom") or (),
        mounts=tuple(_mount(mount) for mount in part.get("volumeMounts") or ()),
        probes=tuple(probe for probe in probes if probe is not None),
        user=user,
        group=int(_or(security.get("runAsGroup"), user)),
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        privileged=bool(security.get("privileged")),
        limits=resources.get("limits") or {},
        requests=resources.get("requests") or {},
        hooks=tuple(hook for hook in hooks if hook is not None),
        non_root=bool(security.get("runAsNonRoot")),
        capabilities_added=tuple((security.get("capabilities") or {}).get("add") or ()),
        capabilities_dropped=tuple((security.get("capabilities") or {}).get("drop") or ()),
    )


def _mount(part: Object) -> VolumeMount:
    path = "/" + part["mountPath"].strip("/")
    return VolumeMount(part["name"], path, part.get("subPath") or "", bool(part.get("readOnly")))


def _hook(
    kind: Literal["postStart", "preStop"], part: Object | None, ports: Mapping[str, int]
) -> Hook | None:
    if not part:
        return None
    if "sleep" in part:
        return Hook(kind, None, float(part["sleep"].get("seconds") or 0))
    return Hook(kind, _probe(kind, part, ports))


def _probe(kind: ProbeKind, part: Object | None, ports: Mapping[str, int]) -> Probe | None:
    if not part:
        return None
    common: dict[str, Any] = {
        "kind": kind,
        "initial_delay_s": part.get("initialDelaySeconds") or 0,
        "period_s": part.get("periodSeconds") or 10,
        "timeout_s": part.get("timeoutSeconds") or 1,
        "successes": part.get("successThreshold") or 1,
        "failures": part.get("failureThreshold") or 3,
        "grace_s": part.get("terminationGracePeriodSeconds"),
    }
    if "exec" in part:
        return Probe(method="exec", command=tuple(part["exec"].get("command") or ()), **common)
    target = part.get("httpGet") or part["tcpSocket"]
    port = target["port"]
    common |= {
        "port": port if isinstance(port, int) else _port(port, ports),
        "host": target.get("host") or "",
    }
    if "tcpSocket" in part:
        return Probe(method="tcp", **common)
    headers = tuple((header["name"], header["value"]) for header in target.get("httpHeaders") or ())
    scheme = target.get("scheme") or "HTTP"
    return Probe(method="http", path=target.get("path") or "/", scheme=scheme, headers=headers, **common)


def _port(name: str, ports: Mapping[str, int]) -> int:
    if name not in ports:
        if name.isdecimal():
            return int(name)
        raise ValueError(f"a probe asks port '{name}', which the container does not name")
    return ports[name]


def _or(value: Any, default: int) -> int:
    """`value` unless it is absent: 0 is a value."""
    return default if value is None else int(value)
