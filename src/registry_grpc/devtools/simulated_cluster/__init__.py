"""A Kubernetes cluster with KServe in it, simulated in one Python process.

It answers like a kube-apiserver to what a registry's KServe adapter relies on: server-side apply with owners and
conflicts, preconditions, generations, selectors, watches, garbage collection. Controllers inside play KServe, the
Deployment controller and the kubelet, so that an InferenceService becomes ready, rolls out updates and fails in
the ways a real one does. It stores nothing in etcd, runs no container and serves no model.

For development `python -m registry_grpc.devtools.simulated_cluster` runs it as a process; tests use
`SimulatedCluster`. The same contract tests run on it and on a real kube-apiserver.
"""

from __future__ import annotations

from registry_grpc.devtools.simulated_cluster.cluster import SimulatedCluster
from registry_grpc.devtools.simulated_cluster.faults import Fault
from registry_grpc.devtools.simulated_cluster.timing import Timing

__all__ = ["Fault", "SimulatedCluster", "Timing"]
