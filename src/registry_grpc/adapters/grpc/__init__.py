"""The gRPC server: RPCs as they are declared, the way of a call, the mapping between protos and domain, errors."""
