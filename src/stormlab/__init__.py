"""Datacenters on one machine: real programs in network namespaces behind the Kubernetes API."""
