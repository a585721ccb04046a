"""Looking functions up: an exact name or nothing, and an answer that tells nothing about what is not exposed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callgate.failures import CallFailed
from callgate_server.policy import PolicyError
from callgate_server.registry import Exposed, ExposureRule, ModuleFailed, Registry

REGISTRY = Registry([ExposureRule(("math.*", "statistics.mean", "json.dumps", "builtins.len"))])
EXPOSED = {(exposed.module, exposed.name) for exposed in REGISTRY}


def refusal(module: str, function: str, registry: Registry = REGISTRY) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        registry.resolve(module, function)
    return caught.value


def test_an_exposed_function_is_found_by_its_exact_name():
    exposed = REGISTRY.resolve("math", "sqrt")
    assert exposed.function(16.0) == 4.0
    assert exposed.full_name == "math.sqrt"


def test_all_that_is_exposed_is_listed_by_name():
    names = [(exposed.module, exposed.name) for exposed in REGISTRY]
    assert names == sorted(names)
    assert len(REGISTRY) == len(names)


NAMES = st.one_of(
    st.text(),
    st.sampled_from(sorted({name for pair in EXPOSED for name in pair})),
    st.sampled_from(["__class__", "__dict__", "__globals__", "__loader__", "os", "sys", "eval", "mean", "dumps"]),
    st.from_regex(r"[a-z]{1,8}(\.[a-z_]{1,8}){0,3}", fullmatch=True),
)


@given(NAMES, NAMES)
@example("\U00010000" * 17, "\U00010000" * 17)  # ten characters each, as ASCII: cut, still as ASCII
def test_no_other_name_ever_resolves_to_anything(module, function):
    if (module, function) in EXPOSED:
        found = REGISTRY.resolve(module, function)
        assert (found.module, found.name) == (module, function)
        return
    failure = refusal(module, function)
    assert failure.reason in {"FUNCTION_NOT_FOUND", "MALFORMED_REQUEST"}
    assert failure.status.message.isascii()
    assert len(failure.status.message) < 2000


def look_alikes(name: str) -> list[str]:
    """Names that look like this one, or that Unicode normalizes to it."""
    cyrillic = str.maketrans("aceopxyj", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0458")
    fullwidth = "".join(chr(ord(letter) + 0xFEE0) for letter in name)
    return [
        name.translate(cyrillic),
        fullwidth,
        name[0] + "\u200b" + name[1:],
        name + "\u0301",
        name.upper(),
        name + " ",
        " " + name,
        name + "\0",
        "\ufeff" + name,
        name + "\n",
        "".join(chr(0x1D41A + ord(letter) - ord("a")) if letter.islower() else letter for letter in name),
    ]


@given(st.sampled_from(sorted(EXPOSED)), st.integers(0, 10), st.booleans())
def test_look_alikes_of_exposed_names_resolve_to_nothing(pair, which, in_module):
    module, function = pair
    module_, function_ = (look_alikes(module)[which], function) if in_module else (module, look_alikes(function)[which])
    if (module_, function_) == pair:
        return  # no letter of the name has this kind of twin
    failure = refusal(module_, function_)
    assert failure.reason == "FUNCTION_NOT_FOUND"
    assert failure.status.message.isascii()


def test_a_twin_that_python_itself_would_normalize_is_still_another_name():
    twin = "\uff53qrt"
    assert unicodedata.normalize("NFKC", twin) == "sqrt"
    assert refusal("math", twin).reason == "FUNCTION_NOT_FOUND"


@pytest.mark.parametrize(
    ("module", "function", "missing"), [("", "f", "module"), ("m", "", "function"), ("", "", "module")]
)
def test_an_empty_name_is_told(module, function, missing):
    failure = refusal(module, function)
    assert failure.reason == "MALFORMED_REQUEST"
    assert f"names no {missing}" in failure.status.message


@pytest.mark.parametrize(
    ("module", "function"), [("m" * 1_000_000, "f"), ("m", "f" * 1_000_000)], ids=["module", "function"]
)
def test_a_name_of_a_megabyte_costs_nothing(module, function):
    failure = refusal(module, function)
    assert failure.reason == "MALFORMED_REQUEST"
    assert "1000000 characters" in failure.status.message


def test_near_names_are_suggested_and_only_those_that_are_exposed():
    assert "math.sqrt" in refusal("math", "sqr").status.message
    assert "math.sqrt" in refusal("maths", "sqrt").status.message
    for module, function in [("statistics", "medain"), ("json", "load"), ("builtins", "evl"), ("os", "sytem")]:
        said = refusal(module, function).status.message
        assert "median" not in said
        assert "json.loads" not in said
        assert "eval" not in said
        assert "did you mean os" not in said


@pytest.mark.parametrize("module", ["statistics", "json", "builtins"])
def test_what_is_not_exposed_is_answered_like_what_does_not_exist(module):
    there = {"statistics": "variance", "json": "JSONDecoder", "builtins": "exec"}[module]
    nowhere = "qqqqqqqq"
    one, other = refusal(module, there), refusal(module, nowhere)
    assert one.reason == other.reason
    assert one.status.message.replace(there, nowhere) == other.status.message


def test_the_first_rule_that_names_a_function_decides():
    registry = Registry(
        [ExposureRule(("math.sqrt",), executor="first", timeout=1.0), ExposureRule(("math.*",), executor="second")]
    )
    assert registry.resolve("math", "sqrt").executor == "first"
    assert registry.resolve("math", "sqrt").timeout == 1.0
    assert registry.resolve("math", "sin").executor == "second"
    assert [exposed.name for exposed in registry.of_executor("first")] == ["sqrt"]


@pytest.mark.parametrize("rules", [[], [ExposureRule(())]])
def test_an_empty_policy_is_refused_with_what_to_do(rules):
    with pytest.raises(PolicyError, match="nothing is exposed"):
        Registry(rules)


def test_a_rule_that_exposes_a_shell_is_refused_among_others_that_do_not():
    with pytest.raises(PolicyError, match="shell in disguise"):
        Registry([ExposureRule(("math.*", "os.*"))])


def test_a_module_that_fails_to_import_is_told_with_its_traceback(tmp_path, monkeypatch):
    (tmp_path / "breaks_on_import.py").write_text("x = 1\nraise RuntimeError('on purpose')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleFailed) as caught:
        Registry([ExposureRule(("breaks_on_import.*",))])
    assert "RuntimeError: on purpose" in caught.value.trace
    assert "breaks_on_import.py" in caught.value.trace
    assert "importlib" not in caught.value.trace


def test_a_module_that_ends_the_program_on_import_only_fails(tmp_path, monkeypatch):
    (tmp_path / "exits_on_import.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleFailed, match="exits_on_import"):
        Registry([ExposureRule(("exits_on_import.*",))])


def test_an_exposed_function_is_itself_and_no_other():
    """Compared by identity: two with the same fields are two."""
    assert Exposed("m", "f") != Exposed("m", "f")
