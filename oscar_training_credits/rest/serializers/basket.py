from ..loading import extended

BasketSerializer = extended("serializers.basket", "BasketSerializer")
BasketLineSerializer = extended("serializers.basket", "BasketLineSerializer")
