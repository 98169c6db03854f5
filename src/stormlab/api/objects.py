"""Create and update objects the way the API does: the one door to the store for writing.

The HTTP face and the controllers both come through here. Trees handed in are decoded and become
this module's own; records handed out are shared and never changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from stormlab.api import metadata as meta
from stormlab.api.addresses import Addresses
from stormlab.api.custom import names
from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import Tree, copy
from stormlab.api.kinds import CONFIG_MAP, DEFINITION, DEPLOYMENT, NAMESPACE, POD, SERVICE_ACCOUNT, Kind
from stormlab.api.record import Record
from stormlab.api.rules.registry import rules_of
from stormlab.api.status import (
    ApiError,
    Cause,
    already_exists,
    conflict,
    forbidden,
    internal,
    invalid,
    invalid_value,
    not_found,
)
from stormlab.api.store import Store

ROOT_CA = "kube-root-ca.crt"
_ROOT_CA_TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints "
    "such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across "
    "distributions of Kubernetes clusters."
)
Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """Return the wall clock."""
    return dt.datetime.now(dt.UTC)


class Objects:
    """Verbs that write. `service_network` is the range of service addresses."""

    def __init__(
        self,
        store: Store,
        *,
        service_network: str = "10.96.0.0/16",
        authority_pem: str = "",
        now: Clock = utc_now,
    ) -> None:
        self.store = store
        self.now = now
        self._authority_pem = authority_pem
        self._addresses = Addresses(store, service_network)

    # What rules may ask (rules.World).

    def get(self, kind: Kind, namespace: str, name: str) -> Record | None:
        """Return an object, or None."""
        return self.store.get(kind, namespace, name)

    def cluster_ip(self) -> str:
        """Return a free service address."""
        return self._addresses.address()

    def node_port(self) -> int:
        """Return a free node port."""
        return self._addresses.port()

    def cluster_ip_taken(self, address: str) -> bool:
        """Say whether a service has this address."""
        return self._addresses.address_taken(address)

    def node_port_taken(self, port: int) -> bool:
        """Say whether a service has this node port."""
        return self._addresses.port_taken(port)

    def require(self, kind: Kind, namespace: str, name: str) -> Record:
        """Return an object; ApiError 404 when it is not there."""
        record = self.store.get(kind, namespace, name)
        if record is None:
            raise not_found(kind, name)
        return record

    def create(self, kind: Kind, namespace: str, tree: Tree, *, dry_run: bool = False) -> Record:
        """Create an object; ApiError 403, 404, 409 or 422 where it cannot be."""
        given = tree.setdefault("metadata", {})
        if given.get("resourceVersion"):
            raise internal("resourceVersion should not be set on objects to be created")
        asked = str(given.get("name") or given.get("generateName") or "")
        tree = {
            "metadata": meta.fresh(given, namespace, self.now(), generation=kind.generation),
            **_rest(tree),
        }
        name = tree["metadata"]["name"]
        self._check_namespace(kind, namespace, name)
        self._check_definition(kind)
        rules = rules_of(kind)
        rules.default(tree)
        rules.prepare_create(tree)
        causes = meta.validate_name(tree["metadata"], rules.name_pattern) + meta.validate_labels(
            tree["metadata"]
        )
        if causes := causes + rules.validate(tree):
            raise invalid(kind.group, kind.kind, name, causes)
        if (existing := self.store.get(kind, namespace, name)) is not None:
            raise already_exists(kind, name, deleting=existing.deleting)
        rules.admit(tree, self, asked)
        rules.allocate(tree, self)
        if dry_run:
            return Record(kind, _without_version(tree), 0)
        record = self.store.put(kind, tree)
        if kind is NAMESPACE:
            self.furnish(name)
        if kind is DEFINITION:
            self.establish(record)
        return record

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        home = self.store.get(NAMESPACE, "", namespace)
        if home is None:
            raise not_found(NAMESPACE, namespace)
        if home.deleting:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause(
                "NamespaceTerminating", "metadata.namespace", f"namespace {namespace} is being terminated"
            )
            raise forbidden(kind, name, why, [cause])

    def _check_definition(self, kind: Kind) -> None:
        if not isinstance(kind, CustomKind):
            return
        definition = self.store.get(DEFINITION, "", kind.definition)
        if definition is None or definition.deleting:
            why = "create not allowed while custom resource definition is terminating"
            raise ApiError(405, "MethodNotAllowed", why, {})

    def establish(self, record: Record) -> None:
        """Serve what a CustomResourceDefinition describes, unless its names are taken; safe to repeat."""
        others = [item.tree for item in self.store.records(DEFINITION) if item.name != record.name]
        for status in names.statuses(record.tree, others, meta.stamp(self.now())):
            tree = {**record.tree, "status": status}
            self.update(DEFINITION, "", record.name, {**tree, "metadata": {}}, status=True, patching=True)

    def furnish(self, namespace: str) -> None:
        """Put into a namespace what every namespace has, where it is missing.

        Real clusters do so moments after its creation; here it is there at once.
        """
        if self.store.get(SERVICE_ACCOUNT, namespace, "default") is None:
            self.create(SERVICE_ACCOUNT, namespace, {"metadata": {"name": "default"}})
        if self.store.get(CONFIG_MAP, namespace, ROOT_CA) is None:
            metadata = {"name": ROOT_CA, "annotations": {"kubernetes.io/description": _ROOT_CA_TEXT}}
            self.create(
                CONFIG_MAP, namespace, {"metadata": metadata, "data": {"ca.crt": self._authority_pem}}
            )

    def finalize_namespace(self, record: Record) -> None:
        """Let an emptied namespace go, unless its metadata holds another finalizer."""
        tree = {**record.tree, "spec": {}}
        if finished(NAMESPACE, tree):
            self.store.remove(Record(NAMESPACE, tree, record.version))
        else:
            self.store.put(NAMESPACE, {**tree, "metadata": dict(tree["metadata"])})

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        tree: Tree,
        *,
        status: bool = False,
        patching: bool = False,
        dry_run: bool = False,
    ) -> Record:
        """Replace an object, or with `status` only its status; a change of nothing writes nothing.

        The tree's resourceVersion, when there is one, must be the current one (ApiError 409).
        """
        old = self.require(kind, namespace, name)
        self._check_preconditions(kind, old, tree["metadata"], patching=patching)
        merged = _status_update(kind, tree, old.tree) if status else _main_update(kind, tree, old.tree)
        causes = meta.validate_finalizers(merged["metadata"], old.tree["metadata"])
        causes += rules_of(kind).validate_status(merged) if status else self._apply_rules(kind, merged, old)
        if causes:
            raise invalid(kind.group, kind.kind, name, causes)
        if merged == old.tree:
            return old
        _count_generation(kind, merged, old.tree, status=status)
        if dry_run:
            return Record(kind, merged, old.version)
        if finished(kind, merged):
            self.store.remove(Record(kind, merged, old.version))
            return Record(kind, merged, old.version)
        return self.store.put(kind, merged)

    def _apply_rules(self, kind: Kind, merged: Tree, old: Record) -> list[Cause]:
        rules = rules_of(kind)
        rules.default(merged)
        rules.prepare_update(merged, old.tree)
        rules.allocate(merged, self)
        causes = meta.validate_labels(merged["metadata"]) + rules.validate(merged)
        return causes + rules.validate_update(merged, old.tree)

    @staticmethod
    def _check_preconditions(kind: Kind, old: Record, given: Tree, *, patching: bool) -> None:
        version, uid = given.get("resourceVersion", ""), given.get("uid")
        if not version and not kind.unconditional_update and not patching:
            cause = invalid_value("metadata.resourceVersion", "0x0", "must be specified for an update")
            # Go prints the zero version without quotes, and names the resource instead of the Kind here.
            cause = Cause(cause.reason, cause.field, cause.message.replace('"', ""))
            raise invalid(kind.group, kind.plural, old.name, [cause])
        if version and not str(version).isdigit():
            raise internal(f'strconv.ParseUint: parsing "{version}": invalid syntax')
        if uid and uid != old.uid:
            if patching:
                cause = invalid_value("metadata.uid", uid, "field is immutable")
                raise invalid(kind.group, kind.kind, old.name, [cause, cause])
            raise _uid_conflict(kind, old, uid)
        if version not in {"", "0", str(old.version)}:
            raise conflict(kind, old.name)


def _uid_conflict(kind: Kind, old: Record, uid: str) -> ApiError:
    why = (
        f"StorageError: invalid object, Code: 4, Key: /registry/{kind.plural}/{old.namespace}/{old.name}, "
        f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
        f"UID in object meta: {old.uid}"
    )
    return conflict(kind, old.name, why)


def _rest(tree: Tree) -> Tree:
    return {key: value for key, value in tree.items() if key not in {"metadata", "kind", "apiVersion"}}


def _without_version(tree: Tree) -> Tree:
    kept = {key: value for key, value in tree["metadata"].items() if key != "resourceVersion"}
    return {**tree, "metadata": kept}


def _main_update(kind: Kind, tree: Tree, old: Tree) -> Tree:
    # Copied: callers may hand in parts of stored trees, and the rules fill in defaults in place.
    merged = {"metadata": meta.carried(tree["metadata"], old["metadata"]), **copy(_rest(tree))}
    if "status" in kind.subresources:
        merged.pop("status", None)
        if "status" in old:
            merged["status"] = old["status"]
    return merged


def _status_update(kind: Kind, tree: Tree, old: Tree) -> Tree:
    # Labels and spec are the main resource's; annotations may come along, as controllers need, but not
    # with custom resources.
    kept = dict(old["metadata"])
    if not isinstance(kind, CustomKind) and kind is not DEFINITION:
        kept.pop("annotations", None)
        if annotations := tree["metadata"].get("annotations"):
            kept["annotations"] = annotations
    merged = {**old, "metadata": kept}
    if "status" in tree:
        merged["status"] = tree["status"]
    return merged


def _count_generation(kind: Kind, merged: Tree, old: Tree, *, status: bool) -> None:
    """Raise metadata.generation when the wanted state changed; a Deployment counts annotations too."""
    if not kind.generation or status:
        return
    ignored = {"metadata"} | ({"status"} & kind.subresources.keys())
    changed = any(merged.get(key) != old.get(key) for key in (merged.keys() | old.keys()) - ignored)
    if kind is DEPLOYMENT:
        changed = changed or merged["metadata"].get("annotations") != old["metadata"].get("annotations")
    if changed:
        merged["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def finished(kind: Kind, tree: Tree) -> bool:
    """Say whether nothing keeps an object that is being deleted: no finalizer, no grace left."""
    metadata = tree["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if kind is NAMESPACE and tree.get("spec", {}).get("finalizers"):
        return False
    return kind is not POD or metadata.get("deletionGracePeriodSeconds") == 0
