"""The bank's side of PostgreSQL: finding the primary, its schema, and what the books can do."""
