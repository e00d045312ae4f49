"""A process that takes a lease, looks whether the server answers, and waits for its end.

Usage: client.py ROOT CACHE [keep] [linger]
"""

import sys
from pathlib import Path

import psycopg

from pytest_crucible.server import lease

root, cache, *mode = sys.argv[1:]
held = lease("embedded", root=Path(root), cache=Path(cache), linger=600 if "linger" in mode else 0)
with psycopg.connect(**held.admin.libpq()) as connection:
    assert connection.execute("SELECT 1").fetchone() == (1,)
if "keep" in mode:
    held.keep_image()
print("ready", held.nest, flush=True)
sys.stdin.read()
held.release()
