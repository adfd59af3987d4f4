"""Turns requests into domain objects, and domain objects into messages."""
