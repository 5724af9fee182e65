from django.urls import include, path

from sandbox.urls import urlpatterns as sandbox_urls

urlpatterns = [path("api/", include("oscarapi.urls")), *sandbox_urls]
