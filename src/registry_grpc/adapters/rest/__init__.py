"""The preserved REST format: raw requests to typed ones, and domain objects to the contract's bytes."""
