"""Use cases: one class per aggregate, one public method per use case. They know ports and domain only."""
