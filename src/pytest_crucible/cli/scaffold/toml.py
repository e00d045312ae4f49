"""Tables of a TOML file changed as text, so that comments, order and spacing stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import Array

WIDTH = 100


def spelled(value: Any, *, indent: str = "    ") -> str:
    """A value as TOML; a list of several or of long strings with one to a line."""
    if isinstance(value, list):
        words = [str(tomlkit.item(word).as_string()) for word in value]
        line = f"[{', '.join(words)}]"
        if len(line) <= WIDTH - 30 and not any(" " in word for word in value):
            return line
        return "[\n" + "".join(f"{indent}{word},\n" for word in words) + "]"
    return str(tomlkit.item(value).as_string())


def rename(text: str, table: str, new: str) -> str:
    """*text* with the header of *table* changed, and nothing else."""
    return re.sub(rf"(?m)^(\s*)\[\s*{re.escape(table)}\s*\]", rf"\1[{new}]", text, count=1)


def has(text: str, table: str) -> bool:
    """Whether *table* has a header of its own in *text*."""
    return bool(_header(table).search(text))


def read(text: str, table: str, key: str | None = None) -> Any:
    """The plain value of a table, or of one of its keys; None where there is none."""
    place = _table(tomlkit.parse(text), table)
    value = place.unwrap() if place is not None else None
    return value if key is None or value is None else value.get(key)


def drop(text: str, table: str, keys: list[str]) -> str:
    """*text* without some keys of *table*."""
    document = tomlkit.parse(text)
    place = _table(document, table)
    for key in keys:
        place.remove(key)
    return tomlkit.dumps(document)


def change(text: str, table: str, values: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """*text* with *values* in *table*: those that are there changed in their place, others after its last one.

    Args:
        text: The file.
        table: Its dotted name; added at the end where it is not there.
        values: Plain values by key.
        comments: Lines to put above a new key, without ``#``; an empty one stays empty.
    """
    document = tomlkit.parse(text)
    place = _table(document, table)
    if place is None:
        document = tomlkit.parse(_apart(text) + f"[{table}]\n")
        place = _table(document, table)
    known = place.unwrap()
    for key, value in values.items():
        if key in known and known[key] != value:
            _replace(place, key, value)
    new = {key: value for key, value in values.items() if key not in known}
    text = tomlkit.dumps(document)
    if new and not has(text, table):  # a table in one line, or with dotted keys
        place.update(new)
        return tomlkit.dumps(document)
    return _inserted(text, table, new, comments or {}) if new else text


def extend(text: str, table: str, key: str, words: list[str], *, instead_of: Mapping[str, str] | None = None) -> str:
    """*text* with *words* at the end of a list, and some of its strings replaced by others in their place."""
    document = tomlkit.parse(text)
    array = _table(document, table)[key]
    for index, word in enumerate(array.unwrap()):
        if isinstance(word, str) and word in (instead_of or {}):
            array[index] = (instead_of or {})[word]
    written = array.as_string()
    for word in words:
        if "\n" in written:
            array.add_line(word, indent=_indent(written))
        else:
            array.append(word)
    _break(array, written)
    return tomlkit.dumps(document)


def _break(array: Array, written: str) -> None:
    if "\n" not in written and len(array.as_string()) > WIDTH:
        array.multiline(multiline=True)


def _indent(written: str) -> str:
    found = re.search(r"\n([ \t]+)\S", written)
    return found[1] if found else "    "


def _header(table: str) -> re.Pattern[str]:
    return re.compile(rf"(?m)^[ \t]*\[\s*{re.escape(table)}\s*\][^\n]*\n?")


def _table(document: Any, table: str) -> Any:
    place = document
    for name in table.split("."):
        place = place.get(name) if place is not None else None
    return place


def _replace(place: Any, key: str, value: Any) -> None:
    """Change a value; a list keeps its lines and their comments where only strings are added to it."""
    old = place.item(key)  # with its comment, which a plain boolean has not
    if isinstance(old, Array) and isinstance(value, list) and value[: len(old)] == old.unwrap():
        written = old.as_string()
        for word in value[len(old) :]:
            if "\n" in written:
                old.add_line(word, indent=_indent(written))
            else:
                old.append(word)
        _break(old, written)
        return
    new: Any = tomlkit.parse(f"key = {spelled(value)}\n").item("key")
    new.trivia.comment_ws, new.trivia.comment = old.trivia.comment_ws, old.trivia.comment
    place[key] = new


def _inserted(text: str, table: str, values: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    """*text* with new keys after the last one of *table*: comments that follow it belong to what comes next."""
    begin = max(header.end() for header in _header(table).finditer(text))
    lines = _body(text[begin:]).splitlines(keepends=True)
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    head = text[:begin] + "".join(lines)
    added = "".join(_entry(key, value, comments.get(key)) for key, value in values.items())
    return head + ("" if head.endswith("\n") else "\n") + added + text[len(head) :]


def _entry(key: str, value: Any, comment: str | None) -> str:
    above = "".join(f"# {line}\n" if line else "\n" for line in comment.split("\n")) if comment else ""
    return f"{above}{key} = {spelled(value)}\n"


def _body(text: str) -> str:
    """What belongs to a table: as far as the next header that is none inside a value."""
    for found in re.finditer(r"(?m)^[ \t]*\[", text):
        try:
            tomlkit.parse(text[: found.start()])
        except tomlkit.exceptions.ParseError:
            continue
        return text[: found.start()]
    return text


def _apart(text: str) -> str:
    text = text.rstrip("\n")
    return f"{text}\n\n" if text else ""
