from ..loading import extended

CheckoutSerializer = extended("serializers.checkout", "CheckoutSerializer")
OrderLineSerializer = extended("serializers.checkout", "OrderLineSerializer")
OrderSerializer = extended("serializers.checkout", "OrderSerializer")
PriceSerializer = extended("serializers.checkout", "PriceSerializer")
