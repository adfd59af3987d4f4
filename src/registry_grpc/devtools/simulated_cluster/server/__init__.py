"""The HTTP server of the simulated cluster."""
