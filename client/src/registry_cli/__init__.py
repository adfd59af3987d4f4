"""The command `registry`. docs/cli.md is its guide.

Modules with commands import nothing that is slow (gRPC, protobuf, rich), so that help and completion answer at once:
`session` and `output` import it when a command runs.
"""
