"""A model registry that deploys."""
