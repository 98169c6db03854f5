"""The lab's control loops: they watch the store and write to it, in the API server's process."""
