"""The gRPC server: servicers, the mapping between protos and domain, interceptors, the table of errors."""
