"""Where django-oscar-api's own loader looks for views, under its own names."""
