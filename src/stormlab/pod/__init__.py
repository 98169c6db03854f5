"""A pod on this machine: namespaces, a root file system, a control group and a shim as its first process."""
