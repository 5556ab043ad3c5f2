from django.db import connection


def test_an_address_without_its_slash_is_the_same(tus):
    address = tus.begin(3)
    assert tus.send(address.removesuffix("/"), 0, b"abc").status_code == 204


def test_no_request_is_a_transaction(tus, settings, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    address = tus.begin(6)
    tus.send(address, 0, b"abc")
    assert tus.send(address, 0, b"abc").status_code == 409
    assert tus.tus("HEAD", address).headers["Upload-Offset"] == "3"
