"""Oscar's checkout: from a basket to one order at most."""
