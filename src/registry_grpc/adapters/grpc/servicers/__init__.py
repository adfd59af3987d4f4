"""One declaration per RPC: it reads the request, calls the use case and names the answer (`adapters.grpc.rpc`)."""
