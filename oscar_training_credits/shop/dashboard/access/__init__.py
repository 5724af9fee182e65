"""Oscar's dashboard: who may use which training."""
