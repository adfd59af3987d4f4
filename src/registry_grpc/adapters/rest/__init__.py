"""The REST format of the contract: raw requests become typed ones, and domain objects become JSON."""
