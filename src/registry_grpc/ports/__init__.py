"""What the use cases need of the world, as Protocols. The docstrings are the contract of every adapter."""
