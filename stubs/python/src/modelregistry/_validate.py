"""The module of buf/validate/validate.proto, which the generated modules import.

All packages in a process share one pool of descriptors, which refuses another version of a file that it has.
So a module `buf.validate.validate_pb2` is used if there is one: protovalidate needed it before its version 2.
Otherwise nobody else can import it either, and the copy in this package is used.
"""

try:
    from buf.validate import validate_pb2
except ModuleNotFoundError as missing:
    if missing.name not in {"buf", "buf.validate", "buf.validate.validate_pb2"}:
        raise
    from modelregistry._generated import validate_pb2

__all__ = ["validate_pb2"]
