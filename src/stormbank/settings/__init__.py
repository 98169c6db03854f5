"""Settings of the bank's processes, read once from the environment: one file for each role."""
