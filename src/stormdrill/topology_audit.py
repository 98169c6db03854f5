"""The part of a topology that says who reads the books, and where secrets are kept."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from stormdrill import address
from stormdrill.content import Fields, Node
from stormdrill.content.problems import unknown
from stormdrill.estate_books import Across, Audit, CsvAudit, HttpAudit, Invariant, NoAudit, SqlAudit
from stormdrill.estate_secrets import Credential, SecretKey

_KINDS = ("sql", "http", "csv", "none")


def decode_audit(node: Node, base: Path) -> Audit:
    """`audit:` by its kind. `base` is the directory that file names are relative to."""
    with node.fields() as fields:
        kind = fields.need("kind").choice(_KINDS, "none")
        if kind == "sql":
            return _sql(fields)
        if kind == "http":
            return _http(fields)
        if kind == "csv":
            return _csv(fields, base)
        return NoAudit(fields.get("why").text("no audit reader is configured"))


def decode_credential(node: Node) -> Credential:
    """`{env: NAME}`, `{file: PATH}` or `{secret: {region, namespace, name, key}}`."""
    with node.fields() as fields:
        env, file, secret = fields.get("env"), fields.get("file"), fields.get("secret")
        if sum(part.present for part in (env, file, secret)) != 1:
            node.problem(
                "give exactly one of 'env', 'file' and 'secret'; secrets themselves never stand here"
            )
        path = file.maybe(Node.text)
        return Credential(env.maybe(Node.text), Path(path) if path else None, secret.maybe(_secret_key))


def _secret_key(node: Node) -> SecretKey:
    with node.fields() as fields:
        return SecretKey(
            fields.need("region").text(),
            fields.need("namespace").text(),
            fields.need("name").text(),
            fields.need("key").text(),
        )


def check_audited(node: Node, known: Collection[str]) -> None:
    """The audit's cells are cells of the topology, and all of them: books that nobody reads look like money lost."""
    cells = dict(node.items()).get("cells")
    if cells is None or not cells.is_mapping:
        return
    for name, child in cells.items():
        if name not in known:
            child.problem(unknown("cell", name, known))
    if missing := [name for name in known if name not in dict(cells.items())]:
        cells.problem(
            f"must name every cell's books: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )


def _sql(fields: Fields) -> SqlAudit:
    dsn, cells = fields.get("dsn"), fields.get("cells")
    if dsn.present == cells.present:
        fields.node.problem("give either 'dsn' (one set of books) or 'cells' (a dsn for each cell)")
    movements = fields.need("movements")
    invariants = tuple(_invariant(element) for element in fields.get("invariants").elements())
    if movements.present and "%(since)s" not in movements.text():
        movements.problem("must limit itself to ids above %(since)s")
    return SqlAudit(
        dsn=_dsn(dsn),
        cells={name: _books_of_cell(child) for name, child in cells.items()},
        password=fields.get("password").maybe(decode_credential),
        high_water=fields.need("high_water").text(),
        movements=movements.text(),
        invariants=invariants,
        deadline_s=fields.get("deadline").duration_s(60.0, low=1),
        across=_across(fields.get("across"), {one.id for one in invariants}),
    )


def _books_of_cell(node: Node) -> str:
    with node.fields() as fields:
        return _dsn(fields.need("dsn"))


def _dsn(node: Node) -> str:
    text = node.text()
    if re.search(r"password\s*=|://[^/@\s]*:[^/@\s]*@", text):
        node.problem(
            "no password here: plans are kept as evidence; use 'password: {env|file|secret: ...}' of the audit"
        )
    return text


def _invariant(node: Node) -> Invariant:
    with node.fields() as fields:
        return Invariant(
            fields.need("id").name(), fields.need("query").text(), fields.need("expect").integer()
        )


def _across(node: Node, taken: set[str]) -> tuple[Across, ...]:
    found = []
    for element in node.elements():
        with element.fields() as fields:
            name = fields.need("id")
            one = Across(
                id=name.name(),
                query=fields.need("query").text(),
                expect=fields.need("expect").integer(),
                within_s=fields.get("within").duration_s(30.0, low=1),
                by_key=fields.get("by_key").maybe(Node.text),
            )
        if one.id in taken:
            name.problem(f"{one.id} is the name of another invariant")
        taken.add(one.id)
        found.append(one)
    return tuple(found)


def _http(fields: Fields) -> HttpAudit:
    url = fields.need("url")
    if url.present and "{key}" not in url.text():
        url.problem("must contain {key}, where the idempotency key goes")
    elif url.present and (wrong := address.trouble(url.text())):
        url.problem(wrong)
    return HttpAudit(
        url=url.text(),
        found=fields.get("found").integer(200, low=100, high=599),
        missing=fields.get("missing").integer(404, low=100, high=599),
        headers={name: value.text() for name, value in fields.get("headers").items()},
        bearer=fields.get("bearer").maybe(decode_credential),
        amount_field=fields.get("amount_field").maybe(Node.text),
        source_field=fields.get("source_field").maybe(Node.text),
        target_field=fields.get("target_field").maybe(Node.text),
        id_field=fields.get("id_field").maybe(Node.text),
        deadline_s=fields.get("deadline").duration_s(60.0, low=1),
    )


def _csv(fields: Fields, base: Path) -> CsvAudit:
    return CsvAudit(
        file=Path(base, fields.need("file").text("books.csv")).resolve(),
        key_column=fields.need("key_column").text(),
        amount_column=fields.need("amount_column").text(),
        source_column=fields.get("source_column").maybe(Node.text),
        target_column=fields.get("target_column").maybe(Node.text),
        id_column=fields.get("id_column").maybe(Node.text),
    )
