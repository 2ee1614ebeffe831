"""Counts, tables and architectures as text, and values given as NAME=VALUE."""

from __future__ import annotations

import argparse

import pytest

from graphnas.cli.arguments import assignment
from graphnas.cli.storages import without_password
from graphnas.cli.text import big_number, count, table


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (999.6, "1.00 k"),
        (1234, "1.23 k"),
        (99_949, "99.9 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (220_120_000, "220 M"),
        (3.2e9, "3.20 G"),
        (7e15, "7000 T"),
    ],
)
def test_count(number, text):
    assert count(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "not known"), (15_625, "15,625"), (10**6, "1.0e6"), (2**460, "2.9e138"), (10**400, "1.0e400")],
)
def test_big_number(number, text):
    assert big_number(number) == text


def test_table_aligns_columns():
    text = table(["a", "number"], [["long", "1"], ["b", "22"]], right=[False, True])
    assert text.split("\n") == ["a     number", "long       1", "b         22"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=3", 3),
        ("x=.5", 0.5),
        ("x=true", True),
        ("x=True", True),
        ("x=null", None),
        ("x=[1, 2]", [1, 2]),
        ("x=word", "word"),
        ("x=", ""),
        ("x=a=b", "a=b"),
    ],
)
def test_assignment(text, value):
    assert assignment(text) == ("x", value)


@pytest.mark.parametrize("text", ["", "x", "=3", "1x=3", "a b=3"])
def test_what_is_no_assignment(text):
    with pytest.raises(argparse.ArgumentTypeError, match="NAME=VALUE"):
        assignment(text)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("postgresql://me:p:w@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
    ],
)
def test_passwords_are_hidden(url, printed):
    assert without_password(url) == printed
