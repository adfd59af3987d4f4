"""The world outside: gRPC, REST, PostgreSQL, Kubernetes. Adapters are thin; rules live in domain and services."""
