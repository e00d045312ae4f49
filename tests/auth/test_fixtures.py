"""Users and their clients, as tests ask for them."""

from __future__ import annotations

import pytest

PEOPLE = """
import asyncio, pytest
from app import User

async def join(session, name):
    user = User(name=name)
    session.add(user)
    await session.commit()
    return user

async def names(*clients):
    answers = await asyncio.gather(*(client.get("/me") for client in clients))
    return [answer.json() if answer.status_code == 200 else answer.status_code for answer in answers]
"""


def test_clients_of_several_users(secured):
    """Each client asks as its own user, at once; async_client is another object and sends no credentials."""
    secured(
        "",
        PEOPLE
        + """
async def test_users(async_client, authenticated_client, client_as, db_session):
    bobs = client_as(await join(db_session, "bob"))
    assert authenticated_client is not async_client
    assert await names(authenticated_client, bobs, async_client, authenticated_client) == ["ada", "bob", 401, "ada"]
    bobs.cookies.set("mine", "1")
    bobs.headers["X-Mine"] = "1"
    assert not authenticated_client.cookies and "X-Mine" not in authenticated_client.headers

async def test_tokens(async_client, access_token, expired_token, invalid_token, bad_tokens):
    for token, status in (access_token, 200), (expired_token, 401), (invalid_token, 401):
        answer = await async_client.get("/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
    assert set(bad_tokens) == {"malformed", "expired", "tampered", "wrong-key", "alg-none"}

@pytest.fixture(scope="module")
def client_options(): return {"base_url": "http://other", "headers": {"X-Theirs": "1"}}

def test_options(authenticated_client):
    assert authenticated_client.base_url.host == "other"
    assert {"x-theirs", "authorization"} <= set(authenticated_client.headers)
""",
    ).assert_outcomes(passed=3)


def test_synchronous_tests(secured):
    """There, clients are Starlette's; they carry tokens, keys and users alike, within `with` and without."""
    secured(
        """
        keys = APIKeyQuery(name="api_key")

        @app.get("/key")
        async def key(key: str = Depends(keys)): return key
        """,
        """
        import pytest, SERVICE
        from app import User
        from starlette.testclient import TestClient

        def test_token(authenticated_client, client_as, sync_session):
            bob = User(name="bob")
            sync_session.add(bob)
            sync_session.commit()
            assert authenticated_client.get("/me").json() == "ada"
            with client_as(bob) as bobs:
                assert bobs.get("/me").json() == "bob"
            assert TestClient(SERVICE.app).get("/me").status_code == 401

        class TestKey:
            @pytest.fixture
            def auth_scheme(self): return "query:api_key"
            @pytest.fixture(scope="class")
            def client_options(self): return {"raise_app_exceptions": False, "base_url": "http://other", "timeout": 1}
            def test_it(self, authenticated_client, access_token):
                assert authenticated_client.get("/key").json() == access_token
                assert authenticated_client.get("/key").url.host == "other"

        class TestDependency:
            @pytest.fixture
            def current_user_dependency(self): return SERVICE.current_user
            def test_it(self, authenticated_client): assert authenticated_client.get("/me").json() == "ada"
        """,
    ).assert_outcomes(passed=3)


def test_a_token_without_an_application(secured):
    """A test that only wants tokens needs no crucible_app."""
    tests = """
    def test_it(access_token, bad_tokens): assert access_token.count(".") == 2 and len(bad_tokens) == 5
    """
    secured("", tests, "--crucible-app=").assert_outcomes(passed=1)


def test_without_a_user(secured):
    """The error shows the five lines to write."""
    result = secured("", "def test_it(access_token): ...", user="")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*A test needs test_user*", "*async def test_user(db_session):*", "*return user*"])
    assert "site-packages" not in result.stdout.str()


def test_without_a_token_function(secured):
    """The error names the option, and what else there is; the matrix skips what it cannot have, and says why."""
    result = secured(
        "",
        """
        from pytest_crucible.auth import test_routes_refuse_bad_credentials
        def test_it(access_token): ...
        """,
        "-rs",
        mint=None,
    )
    result.assert_outcomes(errors=1, passed=3, skipped=7)
    result.stdout.fnmatch_lines(
        [
            "*A test needs a token, but crucible_access_token is not set.*",
            "*override the fixture access_token*current_user_dependency*",
            "SKIPPED [[]7[]]*crucible_access_token is not set.",
        ]
    )


def test_a_token_of_the_project_s_own(secured):
    """A project that logs in to get a token overrides access_token; clients and matrix use that one."""
    result = secured(
        "",
        PEOPLE
        + """
import SERVICE
from pytest_crucible.auth import test_routes_refuse_bad_credentials

@pytest.fixture
def access_token(test_user): return SERVICE.create_access_token(test_user.id)

async def test_it(authenticated_client): assert await names(authenticated_client) == ["ada"]
""",
        mint=None,
    )
    result.assert_outcomes(passed=8, skipped=3)  # expired, wrong-audience, wrong-issuer


def test_users_by_a_dependency(secured):
    """Without tokens, several users ask at once through one override; strangers meet the application's own function."""
    secured(
        "",
        PEOPLE
        + """
import SERVICE

@pytest.fixture
def current_user_dependency(): return SERVICE.current_user

async def test_users(async_client, authenticated_client, client_as, db_session):
    bobs = client_as(await join(db_session, "bob"))
    assert await names(authenticated_client, bobs, async_client, authenticated_client) == ["ada", "bob", 401, "ada"]
    mine = {SERVICE.get_db: lambda: None}
    SERVICE.app.dependency_overrides.update(mine)
    assert await names(bobs, async_client) == ["bob", 401]

def test_restored():
    assert SERVICE.app.dependency_overrides == {} and type(SERVICE.app.dependency_overrides) is dict
""",
        mint=None,
    ).assert_outcomes(passed=2)


def test_rollback_isolation(secured):
    """Where the application shares the test's session, its users need not be committed, by token or by dependency."""
    secured(
        """
        async def shared_user(token: str = Depends(oauth2), db=Depends(get_db)):
            return await db.get(User, int(jwt.decode(token, KEY, algorithms=["HS256"])["sub"]))

        @app.get("/shared")
        async def shared(user=Depends(shared_user)): return user.name
        """,
        """
        import app, pytest, SERVICE
        from app import User

        @pytest.fixture
        async def test_user(db_session):
            user = User(name="ada")
            db_session.add(user)
            await db_session.flush()
            return user

        async def test_token(authenticated_client):
            assert (await authenticated_client.get("/shared")).json() == "ada"

        class TestDependency:
            @pytest.fixture
            def current_user_dependency(self): return SERVICE.shared_user

            async def test_user(self, authenticated_client, async_client):
                assert app.get_db in SERVICE.app.dependency_overrides
                assert (await authenticated_client.get("/shared")).json() == "ada"
                assert (await async_client.get("/shared")).status_code == 401

        async def test_nobody(async_client, db_session):
            assert set(SERVICE.app.dependency_overrides) == {app.get_db}
        """,
        "--crucible-isolation=rollback",
        "--crucible-get-session=app:get_db",
        user="",
    ).assert_outcomes(passed=3)


def test_tokens_that_the_application_stores(secured):
    """An asynchronous token function may use the application's own sessions, for a fixture and within a test."""
    secured(
        """
        async def store(user: User, expires_delta: timedelta | None = None):
            async with Session.begin() as session:
                session.add(User(name=f"token of {user.name}"))
            return f"token of {user.name}"

        async def by_token(token: str = Depends(oauth2)):
            async with Session() as session:
                if await session.scalar(select(User).where(User.name == token)) is None:
                    raise HTTPException(401)
            return token

        @app.get("/stored")
        async def stored(token=Depends(by_token)): return token
        """,
        PEOPLE
        + """
async def test_users(authenticated_client, client_as, db_session, access_token):
    bobs = client_as(await join(db_session, "bob"))
    assert (await bobs.get("/stored")).json() == "token of bob"
    assert (await authenticated_client.get("/stored")).json() == access_token == "token of ada"

def test_empty(sync_session): assert sync_session.query(User).count() == 0
""",
        "-W",
        "error::pytest_crucible.LeakWarning",
        mint="store",
    ).assert_outcomes(passed=2)


def test_a_dependency_that_no_route_has(secured):
    """A current_user_dependency on which no route depends is an error."""
    result = secured(
        "",
        """
        import pytest
        @pytest.fixture
        def current_user_dependency(): return print
        def test_it(authenticated_client): ...
        """,
        mint=None,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no route of the application depends on it*", "*Return the function*"])


SESSIONS = """
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI(openapi_url=None)
app.add_middleware(SessionMiddleware, secret_key="of the session", session_cookie="sid", max_age=600)


async def visitor(request: Request):
    async with Session() as session:
        user = await session.get(User, request.session.get("user_id", 0))
    if user is None:
        raise HTTPException(401)
    return user


@app.get("/me")
async def me(request: Request, user=Depends(visitor)):
    request.session["seen"] = True
    return user.name


def sign_in(user: User):
    return {"user_id": user.id}
"""


def test_cookie_sessions(secured):
    """A token function that returns a session's contents: the cookie is signed with the middleware's own key."""
    secured(
        SESSIONS,
        PEOPLE
        + """
import SERVICE
from pytest_crucible.auth import route_matrix

asked = ["missing", "expired", "tampered", "wrong-key", "valid"]
test_routes = route_matrix(guards=[SERVICE.visitor], credentials=asked)

async def test_users(async_client, authenticated_client, client_as, db_session, bad_tokens):
    bobs = client_as(await join(db_session, "bob"))
    assert await names(authenticated_client, bobs, async_client) == ["ada", "bob", 401]
    assert await names(authenticated_client, bobs, async_client) == ["ada", "bob", 401]
    assert set(bad_tokens) == {"malformed", "expired", "tampered", "wrong-key"}
""",
        mint="sign_in",
    ).assert_outcomes(passed=7)


@pytest.mark.slow
def test_keys_and_chosen_schemes(secured):
    """An API key goes where its scheme says, and a token where the project says."""
    secured(
        """
        keys = APIKeyQuery(name="api_key")

        @app.get("/key")
        async def key(key: str = Depends(keys)): return key

        async def by_cookie(access: str = Cookie("")):
            return await user_of(access.removeprefix("Bearer ") if access.startswith("Bearer ") else "")

        @app.get("/cookie")
        async def cookie(user=Depends(by_cookie)): return user.name
        """,
        PEOPLE
        + """
class TestKey:
    @pytest.fixture
    def auth_scheme(self): return "APIKeyQuery"

    async def test_it(self, authenticated_client, access_token):
        assert (await authenticated_client.get("/key")).json() == access_token

class TestCookie:
    @pytest.fixture
    def auth_scheme(self): return "cookie:access=Bearer {}"

    async def test_it(self, authenticated_client):
        assert (await authenticated_client.get("/cookie")).json() == "ada"
        assert await names(authenticated_client) == [401]

class TestMatrix:
    from pytest_crucible.auth import route_matrix
    test_routes = staticmethod(route_matrix(credentials=["missing", "valid"], public=["GET /cookie"]))
""",
    ).assert_outcomes(passed=6, skipped=1)


def test_a_token_that_names_its_user_otherwise(secured):
    """Where the application expects something else than the id, the matrix's own control says so."""
    result = secured(
        """
        def by_name(data: dict, expires_delta: timedelta = timedelta(hours=1)):
            return jwt.encode(data | {"exp": datetime.now(timezone.utc) + expires_delta}, KEY)

        @app.get("/name")
        async def name(token: str = Depends(oauth2)):
            if jwt.decode(token, KEY, algorithms=["HS256"])["sub"] != "ada":
                raise HTTPException(401)
        """,
        "from pytest_crucible.auth import route_matrix\ntest_routes = route_matrix(credentials=['valid'])",
        mint="by_name",
    )
    assert secured.failed(result) == {"GET /name-valid"}
    result.stdout.fnmatch_lines(["*The token names its user in another way*", "*tests.tokens:mint*"])


@pytest.mark.slow
def test_strict_mode_anyio_and_rollback(secured):
    """The matrix needs no marker in strict mode; in a suite of rollback isolation it runs with real commits."""
    matrix = "from pytest_crucible.auth import test_routes_refuse_bad_credentials"
    strict = (
        "import pytest_asyncio\n"
        """
from app import User
@pytest_asyncio.fixture(loop_scope="session")
async def test_user(db_session):
    user = User(name="ada")
    db_session.add(user)
    await db_session.commit()
    return user
"""
    )
    result = secured("", matrix, "-o", "asyncio_mode=strict", "--crucible-isolation=rollback", user=strict)
    result.assert_outcomes(passed=8, skipped=2)
    anyio = """
import pytest
pytestmark = pytest.mark.anyio
@pytest.fixture(scope='module')
def anyio_backend(): return 'asyncio'
"""
    result = secured("", anyio + matrix, "-p", "no:asyncio", "-o", "strict_config=false", "-W", "ignore")
    result.assert_outcomes(passed=8, skipped=2)


def test_an_application_that_cannot_be_imported(secured):
    """An error in the application, which the matrix asks for routes during collection, is one line."""
    result = secured(
        "import nothing_of_this_name", "from pytest_crucible.auth import test_routes_refuse_bad_credentials"
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*service_* was found, but importing it fails: No module named 'nothing_of_this_name'*"]
    )
    assert "site-packages" not in result.stdout.str()


@pytest.mark.slow
def test_a_factory_with_its_own_loop_for_each_test(secured):
    """Routes are those of the application that runs, which a factory makes anew for each loop."""
    result = secured(
        """
        made = app

        def make():
            app = FastAPI(openapi_url=None)
            app.include_router(made.router)
            return app
        """,
        PEOPLE
        + """
from pytest_crucible.auth import test_routes_refuse_bad_credentials
import SERVICE

class TestUsers:
    @pytest.fixture
    def current_user_dependency(self): return SERVICE.current_user

    async def test_it(self, authenticated_client, async_client):
        assert await names(authenticated_client, async_client) == ["ada", 401]
""",
        "-o",
        "asyncio_default_test_loop_scope=function",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
        application="make",
    )
    result.assert_outcomes(passed=9, skipped=2)


def test_rollback_by_a_marker(secured):
    """A module that is marked for rollback isolation is told why the matrix cannot run in it."""
    result = secured(
        "",
        """
        import pytest
        from pytest_crucible.auth import test_routes_refuse_bad_credentials
        pytestmark = pytest.mark.crucible(isolation="rollback")
        """,
        "-k",
        "missing",
    )
    result.assert_outcomes(errors=1, deselected=9)
    result.stdout.fnmatch_lines(["*The route matrix runs in rollback isolation.*"])
