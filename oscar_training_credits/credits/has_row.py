"""Whether a table has a row, asked within another query."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Expression, Func, Model


class HasRow(Func):
    """Tells whether `model` has a row with these values in these fields.

    As Django's `Exists` does, whose query takes longer to build than to be answered.
    Values are expressions of the query around it.
    """

    output_field = BooleanField()

    def __init__(self, model: type[Model], **fields: Expression | Any) -> None:
        super().__init__(*fields.values())
        self.table = model._meta.db_table
        known: Any = model._meta.get_field
        self.columns = [known(name).column for name in fields]

    def as_sql(  # type: ignore[override]
        self, compiler: Any, connection: Any, **_kwargs: Any
    ) -> tuple[str, list[Any]]:
        quote = connection.ops.quote_name
        conditions: list[str] = []
        params: list[Any] = []
        for column, value in zip(self.columns, self.source_expressions, strict=True):
            sql, given = compiler.compile(value)
            conditions.append(f"a_row.{quote(column)} = {sql}")
            params += given
        rows = f"{quote(self.table)} a_row WHERE {' AND '.join(conditions)}"
        return f"EXISTS (SELECT 1 FROM {rows})", params  # noqa: S608
