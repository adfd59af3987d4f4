"""Protocols of everything that the use cases need from outside. Their docstrings are the contract of every adapter."""
