"""A Kubernetes cluster with KServe in it, simulated in one Python process.

It answers like a kube-apiserver to what a registry's KServe adapter and kubectl rely on: server-side apply with owners
and conflicts, preconditions, generations, selectors, watches. Controllers inside play KServe, the Deployment
controller, the kubelet and the garbage collector, so that an InferenceService becomes ready, rolls out updates and
fails in the ways a real one does. It runs no container and serves no model.

For development `python -m registry_grpc.devtools.simulated_cluster` runs it as a process; tests use
`SimulatedCluster`. The same contract tests run on it and on a real kube-apiserver.
"""

from __future__ import annotations

from registry_grpc.devtools.simulated_cluster.cluster import SimulatedCluster

__all__ = ["SimulatedCluster"]
