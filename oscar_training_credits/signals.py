"""Signals for the site, sent with `send_robust` when all is committed.

A receiver that fails is logged by Django and can neither undo nor repeat anything.
"""

from django.dispatch import Signal

credits_redeemed = Signal()
"""Credits were taken from a code for an order: `redemption`."""

credits_refunded = Signal()
"""Credits of a redemption were given back to its code: `refund`."""

access_given = Signal()
"""A learner was given access: `access`."""

access_changed = Signal()
"""The start or the end of somebody's access was moved: `access`."""

access_ended = Signal()
"""Somebody's access was ended before its time: `access`. Other access of theirs may go
on: ask `has_access` before you take anything away."""

money_taken_without_order = Signal()
"""A payment was taken, but its order was not written, so it is to be refunded:
`payment`, with its `reference` and `amount`. Sent again until a receiver has heard
it."""
