"""The command `registry`, also as `python -m registry_cli`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # the command itself says why a handshake failed
    try:
        from registry_cli import main as command  # in here, because it takes long enough to be interrupted

        command.main()
    except KeyboardInterrupt:  # at once: gRPC may wait for ever for the end of a call, and stdout for its reader
        if "rich.live" in sys.modules:  # it may have been interrupted before it could show the cursor again
            sys.stderr.write("\x1b[?25h")
            sys.stderr.flush()
        os._exit(130)


if __name__ == "__main__":
    main()
