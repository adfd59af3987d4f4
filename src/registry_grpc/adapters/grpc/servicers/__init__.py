"""The RPCs, one declaration each: how the request is read, the use case, and what is answered (`adapters.grpc.rpc`)."""
