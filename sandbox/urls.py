from django.apps import apps
from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.api.v2.router import WagtailAPIRouter
from wagtail.api.v2.views import PagesAPIViewSet
from wagtail.documents import urls as wagtaildocs_urls

from sandbox.academy.feeds import CourseFeed
from sandbox.academy.views import search

api = WagtailAPIRouter("wagtailapi")
api.register_endpoint("pages", PagesAPIViewSet)

urlpatterns = [
    path("django-admin/", admin.site.urls),
    path("cms/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("api/v2/", api.urls),
    path("i18n/", include("django.conf.urls.i18n")),  # Oscar's layout asks for it
    # Training credits
    path("training/", include("oscar_training_credits.urls")),
    path("api/training/", include("oscar_training_credits.backoffice.urls")),
    # Oscar not at "/": its home page and words such as search would hide Wagtail's
    path("shop/", RedirectView.as_view(pattern_name="catalogue:index")),
    path("shop/", include(apps.get_app_config("oscar").urls[0])),
    path("courses.rss", CourseFeed(), name="course_feed"),
    path("search/", search, name="site_search"),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
    # Last, as Wagtail takes every other address
    path("", include(wagtail_urls)),
]
