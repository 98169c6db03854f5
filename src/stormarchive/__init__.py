"""The archive of a database cluster in another place: its log as it is written, base backups, and the way back.

Everything is done by PostgreSQL's own programs; this package starts them, follows the primary through failovers, knows
what it holds and says so. Standard library only: one such process stands in every place for every cell.
"""
