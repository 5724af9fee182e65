"""Oscar's dashboard: systems that are told of events."""
