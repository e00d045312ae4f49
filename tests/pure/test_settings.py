"""Settings: precedence, reading, errors, header."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_crucible.errors import UsageError
from pytest_crucible.errors.masking import mask
from pytest_crucible.settings import OPTIONS, Settings, resolve

ROOT = Path("/project")
isolations = st.none() | st.sampled_from(["reset", "rollback", "clone"])


def settle(environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None, **file: object):
    return resolve(ROOT, flags=flags or {}, environ=environ or {}, file=file)


def message(environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None, **file: object) -> str:
    with pytest.raises(UsageError) as caught:
        settle(environ, flags, **file)
    assert caught.value.found
    assert caught.value.do, "every error says what to do"
    return str(caught.value)


def test_the_defaults_are_those_of_the_table():
    """Where nothing is set, each attribute is its option's default, and nothing has a source."""
    settings = settle()
    assert {option.name: getattr(settings, option.field) for option in OPTIONS} == {
        option.name: option.default for option in OPTIONS
    }
    assert settings == Settings(root=ROOT)
    assert not settings.sources


@given(flag=isolations, environment=isolations, file=isolations)
def test_precedence(flag: str | None, environment: str | None, file: str | None):
    """The flag wins over the environment, the environment over the file, the file over the default."""
    environ = {} if environment is None else {"CRUCIBLE_ISOLATION": environment}
    settings = settle(environ, {"crucible_isolation": flag}, crucible_isolation=file)
    assert settings.isolation == (flag or environment or file or "reset")
    source = "flag" if flag else "environment" if environment else "file" if file else None
    assert settings.sources.get("crucible_isolation") == source


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)))
def test_a_list_is_the_same_from_everywhere(words: list[str]):
    """A list reads the same from TOML, from the environment shell-quoted, and from repeated flags."""
    quoted = shlex.join(words)
    assert settle(crucible_extensions=words).extensions == tuple(words)
    assert settle(crucible_extensions=quoted).extensions == tuple(words)
    assert settle({"CRUCIBLE_EXTENSIONS": quoted}).extensions == tuple(words)
    flags = {"crucible_extensions": [shlex.quote(word) for word in words]}
    assert settle(None, flags).extensions == tuple(words)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False)])
def test_a_bool_from_the_environment(text: str, value: bool):
    """The usual words for yes and no are understood, in any case."""
    assert settle({"CRUCIBLE_KEEP_FAILED": text}, crucible_keep_failed=not value).keep_failed is value


def test_a_bool_that_is_none():
    """Another word is an error that lists those that are understood."""
    assert "1, true, yes, on; 0, false, no, off" in message({"CRUCIBLE_KEEP_FAILED": "perhaps"})


def test_an_empty_variable_counts_as_not_set():
    """An empty environment variable leaves the file's value in place; an empty flag clears it."""
    assert settle({"CRUCIBLE_APP": ""}, crucible_app="app:app").app == "app:app"
    assert settle(None, {"crucible_app": ""}, crucible_app="app:app").app is None


@pytest.mark.parametrize("given", ["42", " 42 ", 42], ids=repr)
def test_the_seed_is_an_integer(given: object):
    """The seed is read from text and from TOML's integer."""
    assert settle(crucible_seed=given).seed == 42


@pytest.mark.parametrize("given", ["4.2", "x", True, 4.2], ids=repr)
def test_the_seed_is_no_integer(given: object):
    """Anything else as the seed is an error that names the option and its place."""
    assert message(crucible_seed=given).startswith(f"crucible_seed (configuration file): {given!r} is not an integer.")


def test_an_unknown_isolation():
    """An unknown isolation names the three, and the one that was probably meant."""
    text = message({"CRUCIBLE_ISOLATION": "Rolback"})
    assert text.startswith("crucible_isolation (environment CRUCIBLE_ISOLATION): there is no isolation 'Rolback'.")
    assert all(word in text for word in ("reset", "rollback", "clone"))
    assert 'Did you mean "rollback"?' in text


@pytest.mark.parametrize("url", ["sqlite:///test.db", "sqlite+aiosqlite://", "mysql://u:secret@h/d", "postgresq://h/d"])
def test_a_server_that_is_not_postgresql(url: str):
    """A URL of another database is refused, with the reason why nothing else is a substitute."""
    text = message(crucible_server=url)
    assert "never against SQLite" in text
    assert "savepoints" in text
    assert "secret" not in text


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgres://u@h/d", "postgresql+asyncpg://u@h/d"])
def test_a_server_by_url(url: str):
    """Every spelling of a PostgreSQL URL is one server."""
    assert settle(crucible_server=url).server == "postgresql://u@h/d"


@pytest.mark.parametrize(
    "word",
    ["embedded", "container", "container:postgres:17", "container-per-worker", "container-per-worker:postgres:17"],
)
def test_a_server_by_kind(word: str):
    """The kinds of server are words, a container with its image if need be."""
    assert settle(crucible_server=word).server == word


def test_an_unknown_server():
    """An unknown kind of server names those that exist."""
    assert 'Did you mean "embedded"?' in message(crucible_server="embeded")
    assert "there is no server 'embedded:18'" in message(crucible_server="embedded:18")
    assert "postgresql://user:password@host:5432/postgres" in message(crucible_server="localhost:5432")


@pytest.mark.parametrize("path", ["app.main.app", "app/main.py:app", "app.main:", "app.main/app", "./app/main.py.app"])
def test_a_path_that_is_not_dotted(path: str):
    """A path in another notation is an error that shows the right one."""
    assert "app.main:app" in message(crucible_app=path)


def test_a_path_that_was_probably_meant():
    """A dot for the colon, and a file's name for the module's, are recognised."""
    assert "Write 'shop.api:create'." in message(crucible_app="shop.api.create")
    assert "Write 'shop.api:create'." in message(crucible_app="shop/api.py:create")


@pytest.mark.parametrize("entry", ["analytics", "=app.stats:Base", "analytics=app.stats.Base"])
def test_a_database_without_its_metadata(entry: str):
    """An entry of crucible_databases needs a name, an equals sign and a dotted path."""
    assert "app.stats:Base" in message(crucible_databases=[entry])


@pytest.mark.parametrize(
    "entry",
    [
        *["DATABASE_URL", "DATABASE_URL=", "DATABASE_URL=sqlite", "=postgresql", "A B=postgresql"],
        *["DATABASE_URL=@localhost", "DATABASE_URL=postgresql@", "DATABASE_URL=postgresql@/stats"],
        *["DATABASE_URL=postgresql@localhost:5432", "DATABASE_URL=postgresql@a@b", "DATABASE_URL=postgresql@[::1]"],
        *["DATABASE_URL=postgresql://localhost", "DATABASE_URL=postgresql+asyncpg@localhost/"],
    ],
)
def test_a_variable_without_its_scheme(entry: str):
    """An entry of crucible_url_env needs a variable, a scheme of PostgreSQL's, and a plain host if it names one."""
    text = message(crucible_url_env=[entry])
    assert "DATABASE_URL=postgresql+asyncpg" in text
    assert '"=postgresql+asyncpg@localhost/analytics"' in text


def test_the_wrong_type():
    """A list where one string belongs, or the reverse, shows how the value is written."""
    assert 'Write "app.main:app".' in message(crucible_app=["app.main:app"])
    assert 'Write ["citext"].' in message(crucible_extensions=7)
    assert 'Write ["citext"].' in message(crucible_extensions=["citext", 7])


def test_open_quotes():
    """A list whose quotes are not closed is an error, not a traceback."""
    assert "Close the quotes." in message({"CRUCIBLE_EXTENSIONS": "'citext"})


def test_an_empty_entry():
    """An empty string in a list is an error."""
    assert "an entry is empty" in message(crucible_extensions=["citext", ""])


@pytest.mark.parametrize("name", ["crucible_metadata", "crucible_databases"])
def test_on(name: str):
    """The plugin is on where there is a schema to build, and an application alone is none."""
    assert settle(**{name: ["a=b:C" if name == "crucible_databases" else "b:C"]}).on
    assert settle(crucible_alembic="alembic.ini").on
    assert not settle(crucible_app="app:app").on


def test_the_header_names_what_is_not_the_default():
    """Each value that is not the default stands in the header with its source, and no other."""
    flags = {"crucible_keep_failed": True}
    settings = settle(
        {"CRUCIBLE_ISOLATION": "clone"}, flags, crucible_metadata=["app:Base"], crucible_server="embedded"
    )
    assert settings.header() == [
        "crucible: embedded PostgreSQL, isolation clone",
        '  crucible_metadata = ["app:Base"] (configuration file)',
        '  crucible_isolation = "clone" (environment CRUCIBLE_ISOLATION)',
        "  crucible_keep_failed = true (flag --crucible-keep-failed)",
    ]


def test_no_header_when_off():
    """A project that sets no schema sees no line of Crucible's."""
    assert settle(crucible_isolation="clone").header() == []


def test_the_header_masks_passwords():
    """The password of the server's URL is not printed."""
    header = settle(crucible_metadata=["a:B"], crucible_server="postgresql://joe:s3cr@t:5@db:5432/x").header()
    assert header[0] == "crucible: external PostgreSQL, isolation reset"
    assert 'crucible_server = "postgresql://joe:***@db:5432/x"' in header[2]


@given(st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=12))
def test_masking(password: str):
    """No password survives, whatever it holds."""
    assume(password not in "postgresql://joe:***@db/x?user=joe&password=***&a=b")
    assert password not in mask(f"postgresql://joe:{password}@db/x")
    assert (
        password not in mask(f"postgresql://db/x?user=joe&password={password.replace('&', '')}&a=b") or "&" in password
    )


def test_flags_and_variables_follow_from_the_name():
    """The three names of an option are one."""
    option = next(option for option in OPTIONS if option.name == "crucible_get_session")
    assert (option.field, option.flag, option.env) == ("get_session", "--crucible-get-session", "CRUCIBLE_GET_SESSION")


def shapes(**words: object) -> dict[object, tuple[object, ...]]:
    """Return what each database is built from."""
    found = Settings(root=ROOT, **words).by_database()
    return {name: (one.metadata, one.alembic, one.load, one.extensions) for name, one in found.items()}


def test_the_main_database_and_further_ones():
    """Extensions are for all databases, migrations and data for the main one; entries of one name are one database."""
    databases = ("stats=a:Stats", "audit=a:Audit", "stats=b:More")
    found = shapes(metadata=("a:Base",), databases=databases, load="c:load", extensions=("citext",))
    assert found == {
        None: (("a:Base",), None, "c:load", ("citext",)),
        "stats": (("a:Stats", "b:More"), None, None, ("citext",)),
        "audit": (("a:Audit",), None, None, ("citext",)),
    }
    found = shapes(alembic="alembic.ini", databases=("stats=a:Stats",))
    assert found == {None: ((), "alembic.ini", None, ()), "stats": (("a:Stats",), None, None, ())}


def test_the_first_of_several_databases_is_the_main_one():
    """Where nothing else says what the main database is built from."""
    found = shapes(databases=("shop=a:Base", "stats=a:Stats"), load="c:load")
    assert found == {"shop": (("a:Base",), None, "c:load", ()), "stats": (("a:Stats",), None, None, ())}


def test_a_further_database_may_be_built_by_migrating():
    """An entry that names a configuration of Alembic's wins over one that names metadata, as for the main database."""
    found = shapes(metadata=("a:Base",), databases=("stats=stats/alembic.ini:stats", "stats=a:Stats"))
    assert found["stats"] == (("a:Stats",), "stats/alembic.ini:stats", None, ())
    assert settle(crucible_databases=["stats = stats.ini"]).databases == ("stats=stats.ini",)


def test_variables_of_databases():
    """A variable is the main database's, or that of the name after a slash; its URL may name a host."""
    entries = ("A=postgresql", "B=postgresql+asyncpg/stats", "C=postgresql@localhost", "D=postgresql@a-b.c/stats")
    assert settle(crucible_url_env=list(entries)).variables() == [
        ("A", "postgresql", "", None),
        ("B", "postgresql+asyncpg", "", "stats"),
        ("C", "postgresql", "localhost", None),
        ("D", "postgresql", "a-b.c", "stats"),
    ]
    assert tuple(map(str, Settings(root=ROOT, url_env=entries).variables())) == entries
