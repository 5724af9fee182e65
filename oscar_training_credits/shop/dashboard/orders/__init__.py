"""Oscar's dashboard of orders: credits shown, and given back."""
