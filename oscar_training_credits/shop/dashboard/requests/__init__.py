"""Oscar's dashboard: what learners ask for, and staff answer."""
