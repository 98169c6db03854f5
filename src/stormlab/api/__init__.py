"""The lab's Kubernetes API: an object store and the HTTP face that clients of Kubernetes expect."""
