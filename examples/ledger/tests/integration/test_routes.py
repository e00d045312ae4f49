from pytest_crucible.auth import route_matrix

test_routes_refuse_bad_credentials = route_matrix(
    public=[
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/oauth2-redirect",
        "GET /redoc",
        "POST /users",
        "POST /token",
    ]
)
