"""Documents show the figures of the last run, and the map names every room."""

import re

import pytest

from birdclef.cli.doc_tables import documents, filled
from paths import ROOT

pytestmark = pytest.mark.slow


def test_no_document_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert {"README.md", "invalidation.md"} <= {document.name for document in documents()}
    for document in documents():
        assert document.read_text() == filled(document), f"{document} is stale: make docs"


def test_every_room_is_on_the_map() -> None:
    source = ROOT / "src/birdclef"
    rooms = {f"{path.parent.name}/" for path in source.glob("*/__init__.py")}
    rooms |= {path.name for path in source.glob("[!_]*.py")}
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## The rooms")[2].partition("\n## ")[0]
    found = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert found == rooms, "CONTRIBUTING.md, The rooms: one line per room"
