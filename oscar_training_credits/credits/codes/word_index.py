"""Codes found by the beginnings of words: on PostgreSQL by an index, among a million.

The index needs no extension, so every role that migrates can make it. It holds the
words of all texts of a code, so that several words are looked up at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import BooleanField, F, Func, Q, TextField, Value

NAME = "training_credits_code_words"
COLUMNS = ("label", "holder", "reference", "last_four")
FORMER = ("training_credits_code_label_part", "training_credits_code_holder_part")
"""Indexes of pieces of texts, which needed pg_trgm."""
APART = "'[^[:alnum:]]+'"
# Its cost keeps the planner from taking all texts apart, row by row.
FUNCTION = f"""
    CREATE OR REPLACE FUNCTION training_credits_words(text, text, text, text)
    RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000 AS $$
    BEGIN
        RETURN ARRAY_TO_TSVECTOR(ARRAY_REMOVE(REGEXP_SPLIT_TO_ARRAY(
            UPPER(CONCAT_WS(' ', $1, $2, $3, $4)), {APART}), ''));
    END
    $$
"""


class _Words(Func):
    """The words of all texts of a code, in capitals, as they are in the index."""

    function = "training_credits_words"
    output_field = TextField()


class _Beginnings(Func):
    """What to look up there, taken apart and put into capitals by the same database."""

    template = (
        "('''' || REGEXP_REPLACE(BTRIM(REGEXP_REPLACE("
        f"UPPER(%(expressions)s), {APART}, ' ', 'g')), ' ', ''':* & ''', 'g')"
        " || ''':*')::tsquery"
    )
    output_field = TextField()


class _Matches(Func):
    arg_joiner = " @@ "
    template = "(%(expressions)s)"
    output_field = BooleanField()


def having(word: str, *, using: str) -> Q:
    """Return the condition that a word of a code's texts begins with `word`.

    Signs count where they are written: C-17 is not C 17.
    """
    if not _is_indexed(word, using):
        return _begins_in(COLUMNS, word)
    if word.isalnum():
        return _indexed(word)
    pairs = [(f"{name}__icontains", word) for name in COLUMNS]
    return _indexed(word) & Q(*pairs, _connector=Q.OR)


def having_in_holder(word: str, *, using: str, is_few: bool) -> Q:
    """Return the condition that a word of a code's holder begins with `word`.

    The index holds the words of all texts together, so the holder itself is read, too;
    alone, where few codes are looked through.
    """
    in_holder = _begins_in(["holder"], word)
    if connections[using].vendor == "postgresql":
        # A regular expression takes longer than all of these together.
        after_blank = Q(holder__istartswith=word) | Q(holder__icontains=f" {word}")
        in_holder = Q(holder__icontains=word) & (after_blank | in_holder)
    if is_few or not _is_indexed(word, using):
        return in_holder
    return _indexed(word) & in_holder


def _is_indexed(word: str, using: str) -> bool:
    is_postgresql = connections[using].vendor == "postgresql"
    return is_postgresql and any(map(str.isalnum, word))


def _indexed(word: str) -> Q:
    return Q(_Matches(_Words(*map(F, COLUMNS)), _Beginnings(Value(word))))


def _begins_in(columns: Sequence[str], word: str) -> Q:
    start = rf"(^|[\W_]){re.escape(word)}"
    pairs = [(f"{name}__iregex", start) for name in columns]
    return Q(*pairs, _connector=Q.OR)


def create(apps: Any, schema_editor: Any) -> None:
    """Make the index, if this is PostgreSQL."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for name in FORMER:
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")
    table = apps.get_model("training_credits", "CreditCode")._meta.db_table
    schema_editor.execute(FUNCTION)
    schema_editor.execute(
        f"CREATE INDEX {NAME} ON {schema_editor.quote_name(table)}"
        f" USING gin ({_Words.function}({', '.join(COLUMNS)}))"
    )


def drop(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {NAME}")
        arguments = ", ".join(["text"] * len(COLUMNS))
        schema_editor.execute(f"DROP FUNCTION {_Words.function}({arguments})")
