"""Simulates a Kubernetes cluster with KServe in one Python process.

It answers like a kube-apiserver, as far as the KServe adapter of the registry and kubectl need it: server-side apply
with owners and conflicts, preconditions, generations, selectors, watches. Its controllers simulate KServe, the
Deployment controller, the kubelet and the garbage collector, so that an InferenceService becomes ready, rolls out
updates and fails like a real one. It runs no containers and serves no models.

For development, `python -m registry_grpc.devtools.simulated_cluster` runs it as a process; tests use
`SimulatedCluster`. The same contract tests run on it and on a real kube-apiserver.
"""

from __future__ import annotations

from registry_grpc.devtools.simulated_cluster.cluster import SimulatedCluster

__all__ = ["SimulatedCluster"]
