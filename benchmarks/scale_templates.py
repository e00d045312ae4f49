"""The cost of many templates on a server: of finding one among them, and of collecting them.

Run ``python benchmarks/scale_templates.py [largest]``. The templates are empty databases with the mark and the remark
of
real ones. Those of other projects stay; those of the same project are collected down to four.
"""

from __future__ import annotations

import sys
from pathlib import Path

from figures import judged, load, machine, number, table, timed
from workshop import cache

from pytest_crucible.control import Admin, database_names, templates
from pytest_crucible.project.template_trace import Trace
from pytest_crucible.run import Run
from pytest_crucible.server import lease
from pytest_crucible.settings import Settings

SIZES = (10, 50, 200, 500)
FOUND_MS = 50
# Times the cost of each at the smallest number.
LIMIT = 1.5


def remark(admin: Admin) -> str:
    """Return the remark of a real template, of forty tables."""
    run = Run(Settings(root=Path(__file__).parent, metadata=("schemas:forty",)), "5ca1e000", "main")
    run.worker.redirect.install()
    run.worker.ready()
    run.close()
    (text,) = admin.remarks([*admin.databases(database_names.PREFIX)]).values()
    return text


def make(admin: Admin, project: str, number_of: int, text: str) -> None:
    """Make so many templates of *project*."""
    for at in range(number_of):
        name = database_names.template(project, f"{at:016x}")
        admin.create(name, owner=admin.address.user, template="template0")
        admin.note(name, text)
        admin.mark_template(name)


def main(largest: int) -> None:
    """Print the table."""
    rows: list[tuple[str, ...]] = []
    first = 0.0
    held = lease("embedded", root=Path(__file__).parent)
    admin = Admin(held)
    text = remark(admin)
    wanted = templates.Wanted("mine", f"{0:016x}", admin.address.user, None, lambda: Trace({}, {}))
    for size in [size for size in SIZES if size <= largest]:
        make(admin, "mine", size, text)
        run = admin.beside()  # it keeps what it has found from being collected
        found = timed(lambda: templates.get_or_build(run, wanted, lambda _: None)) * 1000  # noqa: B023 - called at once
        run.close()
        looked = timed(lambda: templates.collect(admin, "other")) * 1000
        dropped: list[str] = []
        took = timed(lambda: dropped.extend(templates.collect(admin, "mine")))  # noqa: B023 - called at once
        each = took / max(1, len(dropped)) * 1000
        first = first or each
        cells = (number(found + looked), judged(found + looked, FOUND_MS), f"{len(dropped)}", number(each))
        rows.append((f"{size}", *cells, number(each / first), judged(each / first, LIMIT)))
        templates.collect(admin, "mine", 0)
    admin.close()
    held.release()
    header = ("templates", "ms to find one and see what to drop", "expected", "collected", "ms for each")
    title = f"many templates, each with a remark of {len(text):,} characters"
    table(title, (*header, "times the fewest", "expected"), rows)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1])
    load()
