def test_nothing_is_owed_at_first(client):
    assert client.get("/total").json() == "0"


def test_the_total_is_summed(client):
    for amount in ("10.00", "2.50"):
        assert client.post("/invoices", json={"amount": amount}).status_code == 201
    assert client.get("/total").json() == "12.50"
