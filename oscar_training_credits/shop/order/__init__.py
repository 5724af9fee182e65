"""Oscar's order: written with its credits, shown, refunded."""
