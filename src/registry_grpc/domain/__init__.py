"""The registry's aggregates, value objects and rules. Imports the standard library only."""
