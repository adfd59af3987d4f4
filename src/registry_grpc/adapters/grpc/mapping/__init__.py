"""Requests to domain values, and domain objects to messages."""
