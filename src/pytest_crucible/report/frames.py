"""A filter for the frames of an error: the report shows those of the project's own code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

# Folders of libraries, at any depth.
LIBRARIES = {"site-packages", "dist-packages", "__pypackages__", ".venv", "venv", ".tox", ".nox", ".eggs"}


def only_frames_of_project(config: pytest.Config, error: pytest.ExceptionInfo[BaseException]) -> Any:
    """Return a short report of *error*, one of Crucible's, without the frames of drivers and libraries.

    The message says what to do; those frames do not help. The result is None with ``--full-trace``.
    """
    if config.getoption("fulltrace"):
        return None

    def own(info: pytest.ExceptionInfo[BaseException]) -> Any:
        return info.traceback.filter(lambda entry: is_of_project(Path(entry.path), config.rootpath))

    cause = error.value.__cause__
    # A cause that was made and never raised has no traceback.
    was_raised = cause is not None and cause.__traceback__ is not None
    chain = cause is not None and was_raised and bool(own(pytest.ExceptionInfo.from_exception(cause)))
    # Filtered here too, since pytest would spend a second on the sources of all frames before its report is replaced.
    error.traceback = own(error) or error.traceback
    return error.getrepr(style="short", tbfilter=own, chain=chain)


def is_of_project(path: Path, root: Path, prefix: Path = Path(sys.prefix)) -> bool:
    """Return whether *path* is code of the project in *root*, and not of a library installed inside that folder.

    Args:
        path: A file of Python.
        root: The project's root folder.
        prefix: The folder of the interpreter, which may lie in *root* or around it.
    """
    if root not in path.parents:
        return False
    is_installed = root in prefix.parents and prefix in path.parents
    return not is_installed and not LIBRARIES.intersection(path.relative_to(root).parts)


def named(item: pytest.Item, error: pytest.ExceptionInfo[BaseException] | None) -> dict[str, object]:
    """Return the fixtures of *item*, and the variables of its file in the frames of *error*, by their names."""
    variables: dict[str, object] = {}
    frame = None if error is None else error.tb
    while frame is not None:
        if Path(frame.tb_frame.f_code.co_filename).name.startswith(("test_", "conftest", item.path.name)):
            variables |= frame.tb_frame.f_locals
        frame = frame.tb_next
    fixtures = getattr(item, "funcargs", {})
    return variables | {name: fixtures[name] for name in fixtures if not name.startswith("crucible_")}


def lasting_names(item: pytest.Item) -> dict[str, Any]:
    """Return the names that outlive *item*, by the class or module that has them."""
    cls, module = getattr(item, "cls", None), getattr(item, "module", None)
    names = {} if cls is None else {f"the class {cls.__name__}": vars(cls)}
    return names if module is None else names | {f"the module {module.__name__}": vars(module)}
