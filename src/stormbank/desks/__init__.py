"""Services that do declared slot work and little else: one file each, and the shell that they share."""
