from django.apps import AppConfig


class AcademyConfig(AppConfig):
    name = "sandbox.academy"
    label = "academy"
    verbose_name = "Academy"
