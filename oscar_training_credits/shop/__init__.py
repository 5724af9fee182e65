"""Training credits in a django-oscar shop. Nothing of Oscar is forked or copied."""
