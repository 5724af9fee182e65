"""Oscar's partner: prices in credits, availability, stock."""
