"""Oscar's dashboard: credit codes."""
