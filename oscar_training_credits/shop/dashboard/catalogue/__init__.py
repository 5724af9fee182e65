"""Oscar's dashboard of products: their terms as training."""
