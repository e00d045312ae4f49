"""The check of models that are missing from the schema because nothing imports their module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...project.models import Metadata, Model
from ...project.names import origin, reached
from ..case import Case
from ..findings import Finding


def not_imported(case: Case) -> Iterator[Finding]:
    """Yield each model in a module that neither the application nor the metadata's module imports."""
    settings = case.settings
    wanted = () if settings.alembic or settings.schema else settings.metadata
    wanted += tuple(entry.partition("=")[2] for entry in settings.databases)
    paths = [*wanted, *([settings.app] if settings.app else [])]
    there = reached(case.project, *(path.partition(":")[0] for path in paths)) | case.inspection.modules
    for metadata in case.finds.metadata:
        if _is_configured(case, metadata, wanted):
            for model in metadata.models:
                if model.place.module not in there:
                    yield _missing(case, model)


def _is_configured(case: Case, metadata: Metadata, paths: Iterable[str]) -> bool:
    wanted = {origin(case.project, path.replace(":", ".")).removesuffix(".metadata") for path in paths}
    return metadata.is_one_of(wanted)


def _missing(case: Case, model: Model) -> Finding:
    return Finding(
        f"The model {model.place.name} is in no module that crucible_app or crucible_metadata imports.",
        "A table is known to its base once its module is imported: the schema lacks it, or has it only when a test "
        "happens to import it.",
        f"Import {model.place.module} where the base is taken from, or name it: crucible_metadata = "
        f'["{model.place.module}:…"].',
        case.at(model.place.file),
        model.place.line,
    )
