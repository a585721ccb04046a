"""Documentation that lists things lists all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callgate.failures import REASON_CODES
from callgate.v1 import failure_pb2
from callgate_server.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent


def settings_keys(model):
    for name, field in model.model_fields.items():
        tables = [kind for kind in re.findall(r"\b[A-Z]\w+", str(field.annotation)) if kind in TABLES]
        if tables:
            yield from settings_keys(TABLES[tables[0]])
        else:
            yield name


import callgate_server.settings as settings_module  # noqa: E402 -- beside what reads it

TABLES = {
    name: value
    for name, value in vars(settings_module).items()
    if isinstance(value, type) and issubclass(value, settings_module._Frozen)
}


def test_every_setting_is_documented():
    text = (DOCS / "settings.md").read_text()
    missing = [key for key in settings_keys(Settings) if f"`{key}`" not in text]
    assert not missing


def test_every_reason_is_documented_with_its_code():
    text = (DOCS / "errors.md").read_text()
    reasons = {name.removeprefix("ERROR_REASON_") for name, _ in failure_pb2.ErrorReason.items()} - {"UNSPECIFIED"}
    assert reasons == set(REASON_CODES)
    missing = [r for r in sorted(reasons) if not re.search(rf"\| {r} \| {REASON_CODES[r]}\b", text)]
    assert not missing


def test_the_contracts_comments_name_the_same_codes():
    text = (ROOT / "protos/callgate/v1/failure.proto").read_text()
    for reason, code in REASON_CODES.items():
        comment = re.search(rf"((?:  //[^\n]*\n)+)  ERROR_REASON_{reason} =", text)
        assert comment, reason
        assert code in comment[1], reason


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")) + [ROOT / "README.md"], ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
