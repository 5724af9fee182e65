"""Webhooks: other systems are told by HTTP what happens to credits."""
