"""Prepaid training credits for shops on django-oscar and course pages on Wagtail."""

__version__ = "0.1.0"
