"""The parts of the simulated cluster that play kube-controller-manager, scheduler and kubelet."""
