"""What the registry is about: aggregates, value objects and rules. Standard library only."""
