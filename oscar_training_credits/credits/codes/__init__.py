"""Codes: their text, issued, applied, asked by rules, and guessed at."""
