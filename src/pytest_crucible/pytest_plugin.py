"""The plugin: options, marker, header and hooks. A table of contents, whose modules are loaded on first use."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from .errors import CrucibleError
from .errors.masking import mask
from .settings import ISOLATIONS, OPTIONS, Option, Settings, misspellings, resolve, too_old

if TYPE_CHECKING:
    from .fixtures.readiness import Readiness
    from .handle import Test
    from .run import Run

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
AROUND: pytest.StashKey[ExitStack] = pytest.StashKey()

# -- options ---------------------------------------------------------------------------------------------------------

INI_TYPES: dict[str, Any] = {"string": "string", "list": "args", "bool": "bool", "int": "int"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add every option of the table, as a flag and as a key of the configuration file."""
    if pytest.version_tuple < (9,):
        raise pytest.UsageError(too_old("pytest", pytest.__version__))
    group = parser.getgroup("crucible", "a real PostgreSQL for every test (pytest-crucible)")
    for option in OPTIONS:
        kwargs: dict[str, Any] = {"dest": option.name, "default": None, "help": option.help}
        if option.kind == "bool":
            group.addoption(option.flag, action="store_true", **kwargs)
        elif option.kind == "list":
            group.addoption(option.flag, action="append", metavar=option.metavar, **kwargs)
        else:
            group.addoption(option.flag, metavar=option.metavar, **kwargs)
        parser.addini(option.name, option.help, type=INI_TYPES[option.kind], default=None)


def _settings(config: pytest.Config) -> Settings:
    return resolve(
        config.rootpath,
        flags=vars(config.known_args_namespace),
        environ=os.environ,
        file={option.name: _from_file(config, option) for option in OPTIONS},
    )


def _from_file(config: pytest.Config, option: Option) -> object:
    try:
        return config.getini(option.name)
    except (TypeError, ValueError, pytest.UsageError) as error:  # pytest 9.0 raises what its conversion raised
        is_ini = config.inipath is not None and config.inipath.suffix != ".toml"
        from .settings.files import string_in

        if option.may_be_string and not is_ini and (text := string_in(config.inipath, option.name)):
            return [text]
        raise option.unreadable(str(error), is_ini=is_ini) from None


def _refuse_misspelt(config: pytest.Config, parser: pytest.Parser, arguments: list[str]) -> None:
    misspellings.refuse_keys(config.rootpath, config.inipath, config.known_args_namespace.override_ini or ())
    misspellings.refuse_variables(os.environ)
    if misspellings.looks_like_one(arguments):
        misspellings.refuse_flags(parser.parse_known_and_unknown_args(arguments)[1])


# -- before anything of the user's is imported -----------------------------------------------------------------------


# The innermost wrapper: what is imported here shall warn and print as pytest's own wrappers have it.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Install the redirect: conftest files and the application may connect while they are imported."""
    try:
        _refuse_misspelt(early_config, parser, args)
        settings = early_config.stash[SETTINGS] = _settings(early_config)
    except CrucibleError as error:
        raise pytest.UsageError(str(error)) from error
    if not settings.on:
        return (yield)
    run = _install(early_config, settings)
    try:
        return (yield)
    except Exception as error:
        # pytest prints what the conftest file raised, which is the cause of this error, and its notes.
        for hint in run.hints.attach(error.__cause__ or error):
            sys.stderr.write(f"{hint}\n")
        raise


def _install(early_config: pytest.Config, settings: Settings) -> Run:
    _withdraw_from_parent(early_config)
    inside_another_run = "sqlalchemy" in sys.modules
    from .fixtures import RUN
    from .report import Hinted
    from .run import Run
    from .settings.lookup import make_importable

    for path in settings.paths:
        make_importable(path, settings.root)
    is_ini = early_config.inipath is not None and early_config.inipath.suffix != ".toml"
    run = early_config.stash[RUN] = Run(settings, _run_name(), _worker_name(), is_ini=is_ini)
    # pytest-randomly seeds Python's own random before each test, by a rule of its own.
    run.factories.begin(python=not early_config.pluginmanager.hasplugin("randomly"))
    early_config.add_cleanup(run.close)
    run.install()
    if inside_another_run:
        run.worker.templates.pass_over_engines()
    try:
        run.announce()
    except CrucibleError as error:
        raise pytest.UsageError(str(error)) from error
    _register_fixtures(early_config)
    early_config.pluginmanager.register(Hinted(run.hints), "crucible-hints")  # conftest files may raise at once
    return run


def _withdraw_from_parent(config: pytest.Config) -> None:
    """Have databases of this run, also where tests of another run have started the process."""
    child = sys.modules.get("pytest_crucible_child")
    if child is not None:
        child.withdraw()
        config.add_cleanup(child.resume)


def _run_name() -> str:
    """Return the name of the run: pytest-xdist's, the same in all of its workers, or a random one."""
    shared = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    return hashlib.sha256(shared.encode()).hexdigest()[:8] if shared else os.urandom(4).hex()


def _worker_name() -> str:
    """With digits of its own: pytest that a test starts inherits the names of the worker that it runs in.

    The process's number would not do: in containers it is the same on every machine, and so is the run's name where
    ``--testrunuid`` sets it.
    """
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}x{os.urandom(4).hex()}"


# -- configuration ---------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the fixtures where the plugin is on."""
    config.addinivalue_line(
        "markers",
        "crucible(isolation=None, keep=None, alembic=None): how this test is isolated (reset, rollback, clone), whether"
        " its database is kept if it fails, and which migrations it checks",
    )
    if config.stash[SETTINGS].on:
        _register_hooks(config)
    else:
        config.pluginmanager.register(Off(), "crucible-off")


class Off:
    """The hooks of a project that has not switched the plugin on."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Explain how to switch the plugin on, if a test asks for one of its fixtures."""
        report = yield
        if report.failed and call.when == "setup":
            from .report.off import say_what_to_set

            say_what_to_set(report, item.config)
        return report


def _register_fixtures(config: pytest.Config) -> None:
    """Register the fixtures before those of ``pytest_plugins``: of plugins, the last one's fixture wins."""
    from . import fixtures
    from .fixtures import auth, contract, migrations, route_matrix

    plugins = config.pluginmanager
    plugins.register(fixtures, "crucible-fixtures")
    plugins.register(auth, "crucible-fixtures-auth")
    plugins.register(contract, "crucible-fixtures-contract")
    plugins.register(migrations, "crucible-fixtures-migrations")
    plugins.register(route_matrix, "crucible-fixtures-route-matrix")
    if plugins.hasplugin("pytest_alembic"):
        from .fixtures import with_pytest_alembic as by_pytest_alembic

        plugins.register(by_pytest_alembic, "crucible-fixtures-pytest-alembic")


def _register_hooks(config: pytest.Config) -> None:
    from . import fixtures
    from .fixtures.readiness import Readiness
    from .fixtures.wide_fixtures import WideFixtures
    from .report import Summary, line_writer

    plugins = config.pluginmanager
    modules = config.stash[fixtures.LIFESPANS] = []
    if plugins.hasplugin("asyncio"):
        from .fixtures import with_asyncio as by_asyncio

        modules.append(by_asyncio)
    if plugins.hasplugin("anyio"):
        from .fixtures import with_anyio as by_anyio

        modules.append(by_anyio)
    for module in modules:
        plugins.register(module, f"crucible-{module.__name__}")
    from .fixtures import factories

    plugins.register(factories, "crucible-factories")
    if plugins.hasplugin("faker"):
        from .fixtures import with_faker as by_faker

        plugins.register(by_faker, "crucible-faker")
    run = config.stash[fixtures.RUN]
    run.worker.templates.progress.say = line_writer(config)
    plugins.register(WideFixtures(run), "crucible-wide-fixtures")
    plugins.register(Hooks(run, Readiness(config)), "crucible-hooks")
    server = mask(run.settings.server)
    plugins.register(Summary(run.figures, server), "crucible-summary")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return each setting that is not the default, and its source."""
    return config.stash[SETTINGS].header()


# -- hooks of a project that uses the plugin -------------------------------------------------------------------------


def marker_arguments(
    *, isolation: str | None = None, keep: bool | None = None, alembic: str | None = None
) -> dict[str, Any]:
    """Return the arguments of ``@pytest.mark.crucible``; a misspelt one is an error of the signature."""
    if isolation is not None and isolation not in ISOLATIONS:
        raise TypeError(f"there is no isolation {isolation!r}. Write one of {', '.join(ISOLATIONS)}.")
    return {"isolation": isolation, "keep": keep, "alembic": alembic}


class Hooks:
    """The hooks around tests; registered only where the plugin is on."""

    def __init__(self, run: Run, readiness: Readiness) -> None:
        self.run = run
        self._readiness = readiness

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """End the run before it collects, where a setting names something that does not exist."""
        from .recipes import refuse_missing

        if hasattr(session.config, "workerinput"):
            return  # the controller has looked
        try:
            refuse_missing(self.run.settings)
        except CrucibleError as error:
            raise pytest.UsageError(str(error)) from error

    # Inside the wrapper that filters warnings, and before that of pytest-timeout, which was registered earlier.
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        """Make the database ready before the time-outs of the first test that needs it begin."""
        self.run.isolation.note_next(item.parent, nextitem and nextitem.parent)
        again = any(database.attempts.cut_off for database in self.run.worker.every)
        if self._forbidden(item) is None and self._readiness.is_due(item, again=again):
            with self._readiness.captured(item):
                self.run.worker.get_ready()
        return (yield)

    # The innermost wrapper, since it may raise, and pytest's own must have begun by then.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Set the isolation of the test before its first fixture is set up."""
        from .fixtures import TEST

        item.stash[AROUND] = ExitStack()
        test = item.stash[TEST] = self._test(item)
        fixtures = getattr(item, "fixturenames", ())
        with self.run.isolation.watchdog.watching(item.nodeid):
            self.run.before_setup(fixtures)
            if "crucible_test" not in fixtures:
                # An item of the user's own kind has no fixtures, and so no finalizer of the first one.
                item.stash[AROUND].enter_context(self.run.isolated(test))
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail the test on what differs from production, even where the application has handled the error."""
        with self.run.isolation.watchdog.watching(item.nodeid), self.run.sessions.explaining():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch over the teardown of fixtures and the reset, as over the test itself."""
        with item.stash.setdefault(AROUND, ExitStack()), self.run.isolation.watchdog.watching(item.nodeid):
            return (yield)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note that the project is imported."""
        self.run.isolation.children.collected = True
        if "hypothesis" in sys.modules:
            from .fixtures import with_hypothesis

            with_hypothesis.register(session.config.pluginmanager, self.run)

    def _test(self, item: pytest.Item) -> Test:
        from .report import lasting_names

        kwargs: dict[str, Any] = {"isolation": None, "keep": None}
        for marker in reversed(list(item.iter_markers("crucible"))):
            try:
                arguments = marker_arguments(*marker.args, **marker.kwargs)
            except TypeError as error:
                pytest.fail(f"@pytest.mark.crucible: {error}", pytrace=False)
            kwargs |= {name: value for name, value in arguments.items() if value is not None}
        return self.run.new_test(
            item.nodeid,
            kwargs["isolation"] or self.run.settings.isolation,
            keep=self.run.settings.keep_failed if kwargs["keep"] is None else kwargs["keep"],
            forbidden=self._forbidden(item),
            names=lasting_names(item),
        )

    def _forbidden(self, item: pytest.Item) -> str | None:
        for entry in self.run.settings.no_database:
            folder = self.run.settings.root / entry
            if item.path == folder or folder in item.path.parents:
                return (
                    f"{item.nodeid} touches a database, and lies in {entry}, where crucible_no_database forbids it.\n"
                    "Probably the code under test opens a session that the test meant to replace.\n"
                    "Replace it in the test, or move the test to a folder where a database is allowed."
                )
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note a failure before the database is reset, and report the databases that were kept."""
        from .fixtures import QUERY_LOG, TEST
        from .report import named, only_frames_of_project

        longrepr = None
        if call.excinfo is not None and isinstance(call.excinfo.value, CrucibleError):
            longrepr = only_frames_of_project(item.config, call.excinfo)
        report = yield
        report.longrepr = longrepr or report.longrepr
        if call.excinfo is not None:
            self._end_run_for(call.excinfo.value, item.session)
        log = item.stash.get(QUERY_LOG, None)
        if report.failed and call.when == "call" and log is not None:
            report.sections.append((f"query_log: {log.count} statements", str(log)))
        test = item.stash.get(TEST, None)
        if test is not None and report.failed and call.when == "call":
            not_done = self.run.not_done(test, named(item, call.excinfo))
            report.sections += [("crucible", not_done)] if not_done else []
        if test is not None:
            test.failed = test.failed or report.failed
            if call.when == "teardown":
                report.user_properties += [("crucible_kept", name) for name in test.kept]
        return report

    def _end_run_for(self, error: BaseException, session: pytest.Session) -> None:
        """End the run if *error* is a wrong setting, for which no test can have a database."""
        for database in self.run.worker.every:
            if wrong := database.attempts.reported(error):
                session.shouldfail = f"crucible: no test can have a database: {wrong.found}"
