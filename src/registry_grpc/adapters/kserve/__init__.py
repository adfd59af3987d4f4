"""KServe on Kubernetes: the `Cluster` port over server-side apply, lists and watches."""
