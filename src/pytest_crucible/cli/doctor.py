"""``crucible doctor``: what is wrong with the project's tests and with this machine."""

from __future__ import annotations

import argparse


def doctor(options: argparse.Namespace) -> int:
    """Print what the checks found."""
    from ..doctor import as_json, as_text, diagnose  # SQLAlchemy and psycopg, which `crucible init` has no use for

    without = [what for what in ("import", "server") if getattr(options, f"no_{what}")]
    diagnosis = diagnose(options.root.resolve(), ignore=options.ignore, without=without)
    print(as_json(diagnosis) if options.json else as_text(diagnosis))
    return diagnosis.exit_code(strict=options.strict)
