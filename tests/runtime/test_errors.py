"""Texts of errors: bounded length, with the number of omitted characters."""

from sklearn_lepton._runtime.errors import MAX_CHARACTERS, abridge, describe_error, describe_value


def test_long_text_keeps_head_and_tail_and_counts_the_rest():
    text = "head" + "x" * 20_000_000 + "tail"
    short = abridge(text)
    assert len(short) <= MAX_CHARACTERS
    assert short.startswith("head")
    assert short.endswith("tail")
    assert "19,990,068 characters left out" in short
    assert abridge(short) == short
    assert abridge("short") == "short"


def test_any_error_or_value_has_a_description():
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

        __repr__ = __str__

    assert describe_error(ValueError("no")) == "ValueError: no"
    assert describe_error(MuteError()) == "MuteError: its message cannot be shown"
    assert describe_value(1.5) == "1.5 (of type float)"
    assert describe_value(MuteError()) == "a value of type MuteError"
    assert describe_value(10**5000) == "a value of type int"
    assert len(describe_value("x" * 10**6)) < 300
