"""Simulates KServe v0.20 in Standard mode, as far as the registry can see it. It serves no models."""
