"""Oscar's dashboard: what the learning system has not heard yet."""
