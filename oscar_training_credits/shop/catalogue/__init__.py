"""Oscar's catalogue: which products are training, on what terms."""
