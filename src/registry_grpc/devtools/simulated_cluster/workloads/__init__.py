"""Simulates the Deployment controller, the kubelet and the garbage collector."""
