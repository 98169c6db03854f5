"""How acknowledged money is lost on purpose: replication behind, and a primary that does not come back."""

import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
from tests.lab.drill.estate import cluster, event, patroni, until, whole

BATCH_PARTS = 10  # of 6.5 MB, then small ones
BATCH_S = 90


def configure(lab: Any, patch: dict[str, Any]) -> None:
    """PATCH the database cluster's dynamic configuration."""
    request = urllib.request.Request(
        f"{patroni(lab)}/config",
        json.dumps(patch).encode(),
        {"Content-Type": "application/json"},
        method="PATCH",
    )
    urllib.request.urlopen(request, timeout=5).close()


def asynchronous_over_a_slow_link(lab: Any) -> None:
    """Replication acknowledges before the standby has it, over 500 ms between the sites.

    The standby may take over however far behind it is, or nothing would be lost but time. For a lab that ends with
    it: after a loss the remote site holds writes that the new primary never had, for good.
    """
    configure(lab, {"synchronous_mode": False, "maximum_lag_on_failover": 1 << 30})
    lab.lab("link", "city1-a", "city1-b", "--rtt", "500ms")
    until(lambda: not any(m["role"] == "sync_standby" for m in cluster(lab).values()), 30, "asynchronous")
    until(lambda: whole(lab), 30, "a streaming pair over the slow link")


def batch_until_the_primary_dies(lab: Any, run: Path) -> None:
    """A batch job writes megabytes without end when the primary dies: more than a link of 500 ms carries.

    What customers are told after its first part waits behind it, unsent, whenever the fault comes. (Without it
    everything arrives: a connection over 500 ms carries what the load writes, and what is under way outlives the
    process that sent it.)
    """
    leader = next(name for name, one in cluster(lab).items() if one["role"] == "leader")
    endpoint = lab.endpoints[f"postgres-{leader.removeprefix('pg-').removesuffix('-0')}"]
    secret = lab.kubectl("city1", "get", "secret", "postgres", "-n", "bank", "-o", "json").stdout
    password = base64.b64decode(json.loads(secret)["data"]["superuser-password"]).decode()
    host, _, port = endpoint.rpartition(":")
    with psycopg.connect(
        host=host, port=port, dbname="bank", user="postgres", password=password, autocommit=True
    ) as connection:
        event(run, "hypothesis")
        _write_until_cut_off(connection)


def _write_until_cut_off(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TABLE public.batch (i int, line text)")
    for _ in range(BATCH_PARTS):
        if _write(connection, 30_000):
            return
    until(lambda: _write(connection, 3_000), BATCH_S, "the death of the primary under the batch job")


def _write(connection: psycopg.Connection[Any], rows: int) -> bool:
    """Write so many rows of 0.2 kB; whether the connection broke over it."""
    insert = "INSERT INTO public.batch SELECT i, repeat('x', 180) FROM generate_series(1, %s) i"
    try:
        connection.execute(insert, [rows])
    except psycopg.OperationalError:
        return True
    return False


def cordon_primary(lab: Any) -> None:
    """The node of the database's leader takes no new pods, so that a killed primary stays lost."""
    leader = next(name for name, one in cluster(lab).items() if one["role"] == "leader")
    lab.kubectl("city1", "cordon", leader.removeprefix("pg-").removesuffix("-0"))
