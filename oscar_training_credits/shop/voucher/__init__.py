"""Oscar's voucher: a code that answers a voucher's questions."""
