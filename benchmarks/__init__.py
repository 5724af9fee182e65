"""How fast the package is, beside Oscar alone, bare SQL and its peers: `make bench`."""
