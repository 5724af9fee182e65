"""Course pages on Wagtail that sell training products and show what they open."""
