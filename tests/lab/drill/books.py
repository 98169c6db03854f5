"""An auditor of our own for the tests: reads the witness journal and the bank's books without the harness.

It shares no code with what it checks: records are unpacked with `struct` by the documented layout, and the books
are read with one plain query.
"""

import base64
import json
import struct
import uuid
import zlib
from pathlib import Path
from typing import Any

import psycopg

_RECORD = struct.Struct("<Qqq16sqqqBBHHBBq12xI")
_OK = 1


def acknowledged(run: Path) -> set[str]:
    """Keys that a customer was told are booked."""
    keys = set()
    for file in (run / "witness").glob("*.rec"):
        body = file.read_bytes()[4096:]
        for start in range(0, len(body) - _RECORD.size + 1, _RECORD.size):
            raw = body[start : start + _RECORD.size]
            fields = _RECORD.unpack(raw)
            assert zlib.crc32(raw[:-4]) == fields[-1]
            if fields[7] == _OK:
                keys.add(str(uuid.UUID(bytes=fields[3])))
    return keys


def booked(lab: Any) -> list[str]:
    """The key of every movement in the books, repeated as often as it is booked."""
    secret = lab.kubectl("city1", "get", "secret", "postgres", "-n", "bank", "-o", "json").stdout
    password = base64.b64decode(json.loads(secret)["data"]["auditor-password"]).decode()
    ports = [lab.endpoints[name].rpartition(":")[2] for name in ("postgres-city1-a", "postgres-city1-b")]
    dsn = f"host=127.0.0.1,127.0.0.1 port={','.join(ports)} dbname=bank user=auditor target_session_attrs=read-write"
    with psycopg.connect(dsn, password=password, connect_timeout=3) as connection:
        return [key for (key,) in connection.execute("SELECT key::text FROM movement")]
