"""Files of any length, in the formats that are offered."""

from __future__ import annotations

from typing import Any

from .csv_files import csv_response
from .xlsx_files import xlsx_response

FORMATS: dict[str, Any] = {"csv": csv_response, "xlsx": xlsx_response}
"""What sends rows as a file, by the end of its name."""
