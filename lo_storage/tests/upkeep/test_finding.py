import json

from lo_storage.upkeep.finding import Finding


def test_a_line_says_where_what_and_what_mends_it():
    found = Finding(
        "error", "wrong-size", "16418.pdf", "it is too short", "Bring it back", "16418.pdf"
    )
    assert str(found) == "error: 16418.pdf: it is too short. Bring it back"
    assert json.loads(json.dumps(found._asdict())) == {
        "level": "error",
        "kind": "wrong-size",
        "where": "16418.pdf",
        "what": "it is too short",
        "mend": "Bring it back",
        "name": "16418.pdf",
        "row": None,
    }
