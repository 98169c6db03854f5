"""Services: defaults, ports, and addresses and node ports from the region's ranges."""

from __future__ import annotations

from stormlab.api.jsontree import Tree
from stormlab.api.rules import Rules, World
from stormlab.api.rules.lab import refusals
from stormlab.api.status import Cause, invalid, invalid_value, required, unsupported

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
NODE_PORTS = range(30000, 32768)


class ServiceRules(Rules):
    """Rules of Services."""

    name_pattern = "label1035"

    def default(self, tree: Tree) -> None:
        """Fill in type, affinity, protocols and target ports."""
        spec = tree.setdefault("spec", {})
        spec.setdefault("sessionAffinity", "None")
        spec.setdefault("type", "ClusterIP")
        for port in spec.get("ports", ()):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
        if spec["type"] in {"NodePort", "LoadBalancer"}:
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if spec["type"] != "ExternalName":
            spec.setdefault("internalTrafficPolicy", "Cluster")

    def prepare_create(self, tree: Tree) -> None:
        """Start without a load balancer."""
        tree["status"] = {"loadBalancer": {}}

    def prepare_update(self, tree: Tree, old: Tree) -> None:
        """Keep the address and node ports that the client did not repeat."""
        spec, before = tree["spec"], old["spec"]
        if spec["type"] == "ExternalName":
            return
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if name in before:
                spec.setdefault(name, before[name])
        known = {(port["port"], port["protocol"]): port.get("nodePort") for port in before.get("ports", ())}
        if spec["type"] in {"NodePort", "LoadBalancer"}:
            for port in spec.get("ports", ()):
                if kept := known.get((port.get("port"), port["protocol"])):
                    port.setdefault("nodePort", kept)

    def admit(self, tree: Tree, world: World, asked: str) -> None:  # noqa: ARG002 -- a service is named whole
        """Refuse addresses and node ports another service has."""
        causes: list[Cause] = []
        address = tree["spec"].get("clusterIP", "")
        if address not in {"", "None"} and world.cluster_ip_taken(address):
            why = f"failed to allocate IP {address}: provided IP is already allocated"
            causes.append(
                Cause(
                    "FieldValueInvalid", "spec.clusterIPs", f'Invalid value: []string{{"{address}"}}: {why}'
                )
            )
        for index, port in enumerate(tree["spec"].get("ports", ())):
            if (number := port.get("nodePort")) and world.node_port_taken(number):
                where = f"spec.ports[{index}].nodePort"
                causes.append(invalid_value(where, number, "provided port is already allocated"))
        if causes:
            raise invalid("", "Service", tree["metadata"]["name"], causes)

    def allocate(self, tree: Tree, world: World) -> None:
        """Give out a cluster address and node ports."""
        if tree["spec"]["type"] != "ExternalName":
            self._addresses(tree["spec"], world)
            self._node_ports(tree["spec"], world)

    @staticmethod
    def _addresses(spec: Tree, world: World) -> None:
        if not spec.get("clusterIP"):
            spec["clusterIP"] = (spec.get("clusterIPs") or [""])[0] or world.cluster_ip()
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    @staticmethod
    def _node_ports(spec: Tree, world: World) -> None:
        for port in spec.get("ports", ()):
            if spec["type"] not in {"NodePort", "LoadBalancer"}:
                port.pop("nodePort", None)
            elif not port.get("nodePort"):
                port["nodePort"] = world.node_port()

    def validate(self, tree: Tree) -> list[Cause]:
        """Check type and ports."""
        spec = tree["spec"]
        causes: list[Cause] = []
        if spec["type"] not in TYPES:
            causes.append(unsupported("spec.type", spec["type"], TYPES))
        ports = spec.get("ports") or []
        if not ports and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
            causes.append(required("spec.ports"))
        for index, port in enumerate(ports):
            causes += _port(port, f"spec.ports[{index}]", len(ports))
        return causes + refusals("ServiceSpec", spec, "spec")

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse a change of the address."""
        before, after = old["spec"].get("clusterIP"), tree["spec"].get("clusterIP")
        if before and after != before and old["spec"]["type"] != "ExternalName":
            why = f'Invalid value: []string{{"{after}"}}: may not change once set'
            return [Cause("FieldValueInvalid", "spec.clusterIPs[0]", why)]
        return []


def _port(port: Tree, path: str, count: int) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("port", "targetPort"):
        number = port.get(name) or 0
        # A target may also be the name of a container's port.
        if isinstance(number, int) and not 1 <= number <= 65535:
            causes.append(invalid_value(f"{path}.{name}", number, "must be between 1 and 65535, inclusive"))
    if count > 1 and not port.get("name"):
        causes.append(required(f"{path}.name"))
    if (node_port := port.get("nodePort")) and node_port not in NODE_PORTS:
        why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
        causes.append(invalid_value(f"{path}.nodePort", node_port, why))
    if port["protocol"] not in {"TCP", "UDP", "SCTP"}:
        causes.append(unsupported(f"{path}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
    return causes
