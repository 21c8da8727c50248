"""Entry point of the process that `kernel.rehearsal.stage.perform` starts."""

import sys

import msgspec

from kernel.rehearsal.stage import Piece, play

if __name__ == "__main__":
    seen = play(msgspec.json.decode(sys.stdin.buffer.read(), type=Piece))
    sys.stdout.buffer.write(msgspec.json.encode(seen))
