"""Buying one training product from its own page."""
