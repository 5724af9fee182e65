"""Oscar's dashboard, with credits: products, orders and refunds, access, deliveries."""
