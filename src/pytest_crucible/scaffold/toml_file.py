"""Changes in the tables of a TOML file that keep comments, order and spacing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import Array, Table

WIDTH = 100


def rename(text: str, parent: str, key: str) -> str:
    """Return *text* with the table *parent* replaced by its own table *key*."""
    document = tomlkit.parse(text)
    outer, _, name = parent.rpartition(".")
    holder = _table(document, outer)
    moved = holder[name][key]
    if isinstance(moved, Table):
        length = len(moved.value.body)
        holder[name] = moved = Table(moved.value, moved.trivia, False, name=name, display_name=parent)
        del moved.value.body[length:]  # the assignment appends an empty line
    else:
        holder[name] = moved
    return tomlkit.dumps(document)


def read(text: str, table: str, key: str | None = None) -> Any:
    """Return the plain value of a table, or of one of its keys; None where there is none."""
    place = _table(tomlkit.parse(text), table)
    value = place.unwrap() if place is not None else None
    return value if key is None or value is None else value.get(key)


def drop(text: str, table: str, keys: list[str]) -> str:
    """Return *text* without some keys of *table*."""
    document = tomlkit.parse(text)
    place = _table(document, table)
    for key in keys:
        place.remove(key)
    return tomlkit.dumps(document)


def change(text: str, table: str, values: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """Return *text* with *values* in *table*: known keys changed in their place, others after its last one.

    Args:
        text: The file.
        table: The dotted name of the table; added at the end if it does not exist.
        values: Plain values by key.
        comments: Lines to put above a new key, without ``#``; an empty one stays empty.
    """
    if read(text, table) is None:
        above = text.rstrip("\n")
        text = (f"{above}\n\n" if above else "") + f"[{table}]\n"
    document = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")
    place = _table(document, table)
    known = place.unwrap()
    for key, value in values.items():
        if key in known and known[key] != value:
            _replace(place, key, value)
    new = {key: _item(value) for key, value in values.items() if key not in known}
    if isinstance(place, Table) and place.display_name:
        _append(place, new, comments or {})
    else:  # a table in one line, or with dotted keys
        place.update(new)
    return tomlkit.dumps(document)


def extend(text: str, table: str, key: str, words: list[str], *, instead_of: Mapping[str, str] | None = None) -> str:
    """Return *text* with *words* at the end of a list, and some of its strings replaced by others in their place."""
    document = tomlkit.parse(text)
    array = _table(document, table)[key]
    for index, word in enumerate(array.unwrap()):
        if isinstance(word, str) and word in (instead_of or {}):
            array[index] = (instead_of or {})[word]
    _extend(array, words)
    return tomlkit.dumps(document)


def _extend(array: Array, words: list[str]) -> None:
    """Append *words* to a list: on lines of their own if it has several lines, or would be too long."""
    lines = array.as_string().split("\n")
    for word in words:
        if len(lines) > 1:
            array.add_line(word, indent=lines[1][: len(lines[1]) - len(lines[1].lstrip())])
        else:
            array.append(word)
    if len(lines) == 1 and len(array.as_string()) > WIDTH:
        array.multiline(multiline=True)


def _table(document: Any, table: str) -> Any:
    place = document
    for name in filter(None, table.split(".")):
        place = place.get(name) if place is not None else None
    return place


def _item(value: Any) -> Any:
    """Return a value as an item of a table; a long list, or one of long strings, has a line for each."""
    item = tomlkit.item(value)
    if isinstance(item, Array) and (len(item.as_string()) > WIDTH - 30 or any(" " in word for word in value)):
        item.multiline(multiline=True)
    return item


def _replace(place: Any, key: str, value: Any) -> None:
    """Change a value; a list to which strings are only added keeps its lines and comments."""
    old = place.item(key)  # with its comment, which a plain boolean lacks
    if isinstance(old, Array) and isinstance(value, list) and value[: len(old)] == old.unwrap():
        _extend(old, value[len(old) :])
        return
    new = _item(value)
    new.trivia.comment_ws, new.trivia.comment = old.trivia.comment_ws, old.trivia.comment
    place[key] = new


def _append(place: Table, values: Mapping[str, Any], comments: Mapping[str, str]) -> None:
    """Put new keys after the last one of a table, before comments, which belong to the next table."""
    body = place.value.body
    length = len(body)
    while length and body[length - 1][0] is None:
        length -= 1
    rest = body[length:]
    del body[length:]
    for key, value in values.items():
        # An empty line above a comment keeps it apart from other keys.
        text = comments.get(key, "") if length else comments.get(key, "").lstrip("\n")
        length += 1
        for line in text.split("\n") if key in comments else ():
            place.add(tomlkit.comment(line) if line else tomlkit.nl())
        place.add(key, value)
    body.extend(rest)
