#!/bin/sh
# Runs once, when the database cluster has been founded; Patroni passes the connection string.
# The roles and the database that exist before any program of the bank connects. Its tables are the bank's own.
set -eu
/usr/lib/postgresql/15/bin/psql -v ON_ERROR_STOP=1 -q -d "$1" \
    -v bank="${BANK_PASSWORD}" -v auditor="${AUDITOR_PASSWORD}" <<'SQL'
CREATE ROLE bank LOGIN PASSWORD :'bank';
CREATE ROLE auditor LOGIN PASSWORD :'auditor';
GRANT pg_read_all_data TO auditor;
GRANT pg_monitor TO auditor;
CREATE DATABASE bank OWNER bank;
SQL
/usr/lib/postgresql/15/bin/psql -v ON_ERROR_STOP=1 -q -d "$1 dbname=bank" \
    -c 'ALTER SCHEMA public OWNER TO bank'
