"""Use cases: one class per aggregate, one public method per use case. They only import ports and the domain."""
