"""Oscar's payment: credits as a source, and money that was taken for nothing."""
