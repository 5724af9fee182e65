"""Mails of the package, sent as Oscar sends its own."""
