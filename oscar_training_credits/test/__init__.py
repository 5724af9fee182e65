"""For the tests of sites: training products, codes and learners in one line."""
