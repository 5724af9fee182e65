"""The rules about training credits. Knows neither Oscar's nor Wagtail's code."""
