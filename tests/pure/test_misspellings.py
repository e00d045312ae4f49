"""Misspelt options: which are found, what is meant, and what is none of our business."""

from __future__ import annotations

import pytest

from pytest_crucible.errors import UsageError
from pytest_crucible.settings.misspellings import refuse_flags, refuse_keys, refuse_variables


def key(tmp_path, text, name="pyproject.toml"):
    (tmp_path / name).write_text(text, "utf-8")
    refuse_keys(tmp_path, tmp_path / name)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("crucible_metdata", "crucible_metadata"),
        ("crucible_meta_data", "crucible_metadata"),
        ("crucible_isolaton", "crucible_isolation"),
        ("crucible_database", "crucible_databases"),
        ("crucible-metadata", "crucible_metadata"),
        ("crucible_alembik", "crucible_alembic"),
        ("crucible_url_envs", "crucible_url_env"),
        ("crucible_keep_fail", "crucible_keep_failed"),
        ("cruicble_seed", "crucible_seed"),
        ("pytest_crucible_app", "crucible_app"),
    ],
)
def test_a_misspelt_key(tmp_path, written, meant):
    """A key that is near to an option is an error that names the option, the file and the table."""
    with pytest.raises(UsageError) as caught:
        key(tmp_path, f"[tool.pytest]\n{written} = 1\n")
    message = str(caught.value)
    assert message.startswith(f"{written} in [tool.pytest] of pyproject.toml is no option of Crucible.")
    assert f"Write {meant}." in message
    with pytest.raises(UsageError, match=meant):
        key(tmp_path, f"[tool:pytest]\n{written} = 1\n", "setup.cfg")


@pytest.mark.parametrize(
    "text",
    [
        '[tool.crucible]\nmetadata = ["app:Base"]',
        '[tool.crucible]\ncrucible_metadata = ["app:Base"]',
        '[tool.pytest-crucible]\nmetadata = ["app:Base"]',
        '[tool.pytest.crucible]\nmetadata = ["app:Base"]',
        '[project]\ncrucible_metadata = ["app:Base"]',
        '[tool.pytest.ini-options]\ncrucible_metadata = ["app:Base"]',
    ],
)
def test_a_table_of_its_own(tmp_path, text):
    """An option outside of pytest's tables is an error that says where it belongs."""
    with pytest.raises(UsageError, match=r"where nothing reads it(.|\n)*Write crucible_metadata in \[tool\.pytest\]"):
        key(tmp_path, text)


def test_a_section_of_its_own_beside_the_file_that_pytest_reads(tmp_path):
    """pyproject.toml is looked at even where pytest reads pytest.ini, and an INI file's sections as well."""
    (tmp_path / "pyproject.toml").write_text('[tool.crucible]\nmetadata = ["app:Base"]', "utf-8")
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        key(tmp_path, "[pytest]\ntestpaths = tests", "pytest.ini")
    with pytest.raises(UsageError, match=r"tox\.ini"):
        key(tmp_path, "[pytest]\n[crucible]\nmetadata = app:Base", "tox.ini")


@pytest.mark.parametrize(
    "text",
    [
        "[tool.pytest]\ncrucible_metadata = ['a:B']\ncrucible_tenant = 1",  # an option of the user's own conftest
        "[tool.crucible]\nrings = 3",  # another tool of this name
        "[tool.other]\nmetadata = 1\n# crucible",
        "[project]\nname = 'crucible-steel'\ndependencies = ['pytest-crucible']",
        "crucible = [",  # pytest says so itself, if it reads this file
    ],
)
def test_what_is_none_of_our_business(tmp_path, text):
    """Keys that are not near to any option, other tools' tables and broken files are left alone."""
    key(tmp_path, text)


def test_a_misspelt_override(tmp_path):
    """A misspelt key after ``-o`` is found as well."""
    with pytest.raises(UsageError, match="crucible_seed"):
        refuse_keys(tmp_path, None, ["crucible_sed=3"])
    refuse_keys(tmp_path, None, ["crucible_seed=3", "log_cli=true"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("CRUCIBLE_METDATA", "CRUCIBLE_METADATA"),
        ("CRUCIBLE_CACH", "CRUCIBLE_CACHE"),
        ("CRUCIBLE_SEEDS", "CRUCIBLE_SEED"),
    ],
)
def test_a_misspelt_variable(written, meant):
    """A variable near to one of Crucible's is an error that names it."""
    with pytest.raises(UsageError, match=f"Write {meant}"):
        refuse_variables({written: "x", "PATH": "/bin"})


def test_variables_of_others():
    """Variables of our own, and those of another program of this name, are left alone."""
    names = (
        "CRUCIBLE_METADATA",
        "CRUCIBLE_CACHE",
        "CRUCIBLE_POSTGRES",
        "CRUCIBLE_HOME",
        "CRUCIBLE_URL",
        "CRUCIBLE_OPTS",
    )
    refuse_variables(dict.fromkeys(names, "x"))


def test_a_misspelt_flag():
    """An unknown flag near to one of Crucible's is an error that names it; others are left to pytest."""
    with pytest.raises(UsageError, match="Write --crucible-metadata"):
        refuse_flags(["--crucible-metdata=shop:Base"])
    refuse_flags(["--cov", "--crucible-of-another", "crucible_metdata"])
