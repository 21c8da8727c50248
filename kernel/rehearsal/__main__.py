"""Entry point of the process that `kernel.rehearsal.stage.perform` starts."""

import os
import sys

import msgspec

from kernel.rehearsal.stage import Piece, play

if __name__ == "__main__":
    telling = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # plugins print too, and are not to be taken for what was seen
    with telling:
        telling.write(msgspec.json.encode(play(msgspec.json.decode(sys.stdin.buffer.read(), type=Piece))))
