"""The in-cluster half: applies leased faults on its own node, and takes them away whatever happens."""
