"""The lab's networks: namespaces, links with delay, packet rules."""
