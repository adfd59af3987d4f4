"""The preserved REST format: domain objects to the contract's bytes, and the status of each success."""
