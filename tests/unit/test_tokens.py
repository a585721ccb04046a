"""Bearer tokens: made at random, stored hashed, compared without telling how near a guess was."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate_server.security import tokens as module
from callgate_server.security.identity import ANONYMOUS, UNNAMED
from callgate_server.security.tokens import RESERVED, TokenFileError, TokenTable, add_token


@pytest.fixture
def file(tmp_path):
    return tmp_path / "tokens.txt"


def test_a_token_that_was_made_is_known_by_its_name(file):
    alice, bob = add_token(file, "alice"), add_token(file, "bob@example.org")
    table = TokenTable.load(file)
    assert table.identify(alice) == "alice"
    assert table.identify(bob) == "bob@example.org"
    assert len(table) == 2


def test_the_file_holds_only_the_hash_and_is_for_its_owner_alone(file):
    mask = os.umask(0)
    try:
        token = add_token(file, "alice")
    finally:
        os.umask(mask)
    assert token not in file.read_text()
    assert hashlib.sha256(token.encode()).hexdigest() in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_tokens_are_long_random_and_never_the_same(tmp_path):
    made = {add_token(tmp_path / f"{number}", "x") for number in range(50)}
    assert len(made) == 50
    assert all(len(token) >= 43 for token in made)  # 256 bits in base64


def test_neither_token_nor_hash_shows_in_a_repr(file):
    token = add_token(file, "alice")
    table = TokenTable.load(file)
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert token not in repr(table)
    assert digest[:8] not in repr(table)


@given(st.text())
def test_nothing_but_the_token_is_known(guess):
    table = TokenTable({"alice": hashlib.sha256(b"the token").digest()})
    assert (table.identify(guess) == "alice") is (guess == "the token")


def test_the_stored_hash_is_no_token():
    digest = hashlib.sha256(b"the token").digest()
    table = TokenTable({"alice": digest})
    assert table.identify(digest.hex()) is None
    assert table.identify(digest.decode("latin-1")) is None


@pytest.mark.parametrize("guess", ["first", "last", "unknown", ""])
def test_every_guess_is_compared_with_every_hash_in_constant_time(monkeypatch, guess):
    compared = []
    compare_digest = hmac.compare_digest

    def compare(left, right):
        compared.append(left)
        return compare_digest(left, right)

    stored = {name: hashlib.sha256(name.encode()).digest() for name in ("first", "middle", "last")}
    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    TokenTable(stored).identify(guess)
    assert compared == list(stored.values())


def test_comments_and_empty_lines_are_passed_over(file):
    token = add_token(file, "alice")
    line = file.read_text().strip()
    file.write_text(f"# who may call\n\n{line}  # alice's laptop\n")
    assert TokenTable.load(file).identify(token) == "alice"


def test_a_last_line_that_was_left_open_is_not_joined_with_the_next(file):
    alice = add_token(file, "alice")
    file.write_text(file.read_text().rstrip("\n"))
    bob = add_token(file, "bob")
    table = TokenTable.load(file)
    assert (table.identify(alice), table.identify(bob)) == ("alice", "bob")


HASH = "0" * 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no token"),
        ("# nobody\n", "has no token"),
        ("alice\n", ":1: a line is 'NAME SHA256-HEX'"),
        (f"alice {HASH}\nbob {HASH} more\n", ":2: a line is"),
        (f"alice {HASH[1:]}\n", ":1: a line is"),
        (f"alice {HASH.replace('0', 'A')}\n", ":1: a line is"),
        (f"al/ice {HASH}\n", ":1: a line is"),
        (f"{'a' * 65} {HASH}\n", ":1: a line is"),
        ("a-plain-token-written-by-hand\n", ":1: a line is"),
        (f"alice {HASH}\nalice {HASH}\n", ":2: 'alice' stands here twice"),
        (f"anonymous {HASH}\n", ":1: 'anonymous' is who calls without a token"),
    ],
    ids=range(11),
)
def test_a_file_that_is_wrong_is_told_by_file_and_line(file, text, said):
    file.write_text(text)
    with pytest.raises(TokenFileError) as caught:
        TokenTable.load(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


def test_a_wrong_line_is_not_quoted(file):
    """It may hold a token that somebody wrote down in full."""
    file.write_text("alice secret-in-plain-text\n")
    with pytest.raises(TokenFileError) as caught:
        TokenTable.load(file)
    assert "secret-in-plain-text" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(TokenFileError, match="No such file"):
        TokenTable.load(tmp_path / "missing")
    with pytest.raises(TokenFileError, match="cannot be read"):
        TokenTable.load(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for use in (TokenTable.load, lambda path: add_token(path, "alice")):
        with pytest.raises(TokenFileError, match="is no text"):
            use(tmp_path / "binary")


def test_a_file_that_everybody_can_write_is_refused(file):
    add_token(file, "alice")
    file.chmod(0o602)
    with pytest.raises(TokenFileError, match="chmod o-w"):
        TokenTable.load(file)


@pytest.mark.parametrize("name", ["", "two words", "a/b", "\u0430lice", "x" * 65, "a\nb", "#x", *sorted(RESERVED)])
def test_a_name_that_is_none_or_means_nobody_is_refused(file, name):
    with pytest.raises(TokenFileError):
        add_token(file, name)
    assert not file.exists()


def test_a_name_is_given_once(file):
    add_token(file, "alice")
    before = file.read_text()
    with pytest.raises(TokenFileError, match="has a token for 'alice' already"):
        add_token(file, "alice")
    assert file.read_text() == before


def test_the_names_of_those_without_a_token_are_reserved():
    assert {ANONYMOUS, UNNAMED} == RESERVED
