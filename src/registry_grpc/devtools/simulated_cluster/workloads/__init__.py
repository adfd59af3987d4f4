"""What Deployment controller, kubelet and garbage collector do in a cluster."""
