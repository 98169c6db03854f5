"""Request log and witness journal: fixed-size binary records with a CRC, read by numpy.

`layout` is the documented format (version 1), `writer` appends and syncs in groups, `reader` maps and checks,
`keys` keeps the texts of idempotency keys that a record holds as a digest. A file is a 4,096-byte header (magic,
sizes, JSON legend) followed by records.
"""
