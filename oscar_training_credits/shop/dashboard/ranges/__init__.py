"""Oscar's dashboard of ranges, which plans and codes may need."""
