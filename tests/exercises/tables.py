"""What the tests of the checks share: each lesson's file has a table RIGHT and a table WRONG, by exercise."""

import importlib

import pytest

LESSONS = [f"{number:02d}" for number in range(1, 11)]


def rows(table):
    """A parameter for each entry of {exercise: [function or (function, phrase), ...]}."""
    found = []
    for name, entries in table.items():
        for number, entry in enumerate(entries):
            entry = entry if isinstance(entry, tuple) else (entry,)
            found.append(pytest.param(name, *entry, id=f"{name}-{number}"))
    return found


def shown(text, essence, phrase):
    """Parts of a solution that a verdict shows, unless they are the student's own line or asked for."""
    return [] if "line " in text else [part for part in essence if part in text and part not in phrase]


def tables(which):
    """The tables of this name of all lessons, as one."""
    found = {}
    for lesson in LESSONS:
        found.update(getattr(importlib.import_module(f"test_exercises_{lesson}"), which))
    return found


def solutions():
    """The plain solution of each exercise."""
    return {name: functions[0] for name, functions in tables("RIGHT").items()}
