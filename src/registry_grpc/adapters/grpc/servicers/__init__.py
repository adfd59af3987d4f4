"""The RPCs: read the request, call the use case, return its result. Replies are made of results by tables elsewhere:
`adapters.grpc.replies` for gRPC clients, `adapters.rest.replies` for REST."""
