"""Oscar's dashboard: tokens for programs that call the API."""
