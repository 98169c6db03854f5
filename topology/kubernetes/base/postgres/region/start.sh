#!/bin/sh
# Starts Patroni. A standby cluster founds itself by a base backup of the source's primary; Patroni gives up and
# exits when there is none yet, so an empty data directory waits here until the source takes writes.
set -eu
if [ -n "${STANDBY_SOURCE:-}" ] && [ ! -s /var/lib/postgresql/pgroot/data/PG_VERSION ]; then
    echo "waiting for a primary among ${STANDBY_SOURCE}"
    until PGPASSWORD="${PATRONI_REPLICATION_PASSWORD}" /usr/lib/postgresql/15/bin/psql -qtA -c 'select 1' \
        "host=${STANDBY_SOURCE} port=5432 user=replicator dbname=postgres target_session_attrs=read-write connect_timeout=2" \
        >/dev/null 2>&1
    do
        sleep 0.5
    done
fi
exec patroni /etc/patroni
