"""Oscar's basket: codes applied to it, and what they pay for."""
