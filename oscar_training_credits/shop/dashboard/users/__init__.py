"""Oscar's dashboard of customers: what they paid in credits, and may use."""
