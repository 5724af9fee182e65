"""Reading the PDFs that were drawn."""

from __future__ import annotations

from io import BytesIO

import pytest
from pypdf import PdfReader

from oscar_training_credits.shop.pdf_files import has_pdf

from .shop import words

needs_pango = pytest.mark.skipif(not has_pdf(), reason="Pango is missing")


def read(content: bytes) -> PdfReader:
    return PdfReader(BytesIO(content))


def said(pdf: PdfReader) -> str:
    return words(" ".join(page.extract_text() for page in pdf.pages))
