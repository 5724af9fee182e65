"""Where django-oscar-api's own loader looks for serializers, under its own names."""
