"""The ledger: what is entered, quoted, redeemed, refunded and audited."""
