"""Oscar's customer: what learners have, and the places that they hand out."""
