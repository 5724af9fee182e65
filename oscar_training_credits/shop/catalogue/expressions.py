"""Oscar's SQL for the categories of a range, in MariaDB's words.

Kept apart and free of imports: Oscar's models load it while they are being made.
"""

from __future__ import annotations

import re
from typing import Any

from ...mixins import Extension


class CategoryQuerysetMixin(Extension):
    """For Oscar's expressions that go up or down the tree of categories.

    Oscar quotes and joins texts as the SQL standard does, and MariaDB otherwise.
    """

    template: str

    def as_mysql(self, compiler: Any, connection: Any) -> Any:
        return super().as_sql(compiler, connection, in_mysql(self.template))


def in_mysql(template: str) -> str:
    return re.sub(r"(\S+) \|\| (\S+)", r"CONCAT(\1, \2)", template).replace('"', "`")
