"""An HTTP API for back offices: codes, orders, access and requests, by tokens."""
