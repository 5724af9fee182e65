# Sourced by the findings: a small site with nothing but pinned public packages, in a
# folder that goes away. `seen` runs a script there and compares what it prints.
set -euo pipefail

FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT

packages() {  # packages NAME==VERSION ...: what the site is made of
  python3 -m venv "$FOLDER/venv"
  "$FOLDER/venv/bin/python" -m pip install -qq --disable-pip-version-check "$@"
}

plain_site() {  # a site with tables and nothing in them
  cat >"$FOLDER/settings.py" <<'PYTHON'
SECRET_KEY = "only for this script"
SITE_ID = 1
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]


class WithoutMigrations:
    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return None


MIGRATION_MODULES = WithoutMigrations()
PYTHON
}

oscar_site() {  # a shop
  plain_site
  cat >>"$FOLDER/settings.py" <<'PYTHON'
from oscar.defaults import *

HAYSTACK_CONNECTIONS = {
    "default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}
}
HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"
INSTALLED_APPS += [
    "django.contrib.sites",
    "django.contrib.flatpages",
    "oscar.config.Shop",
    *(
        f"oscar.apps.{name}"
        for name in (
            "analytics.apps.AnalyticsConfig checkout.apps.CheckoutConfig"
            " address.apps.AddressConfig shipping.apps.ShippingConfig"
            " catalogue.apps.CatalogueConfig"
            " catalogue.reviews.apps.CatalogueReviewsConfig"
            " communication.apps.CommunicationConfig partner.apps.PartnerConfig"
            " basket.apps.BasketConfig payment.apps.PaymentConfig"
            " offer.apps.OfferConfig order.apps.OrderConfig"
            " customer.apps.CustomerConfig search.apps.SearchConfig"
            " voucher.apps.VoucherConfig wishlists.apps.WishlistsConfig"
            " dashboard.apps.DashboardConfig"
            " dashboard.reports.apps.ReportsDashboardConfig"
            " dashboard.users.apps.UsersDashboardConfig"
            " dashboard.orders.apps.OrdersDashboardConfig"
            " dashboard.catalogue.apps.CatalogueDashboardConfig"
            " dashboard.offers.apps.OffersDashboardConfig"
            " dashboard.partners.apps.PartnersDashboardConfig"
            " dashboard.pages.apps.PagesDashboardConfig"
            " dashboard.ranges.apps.RangesDashboardConfig"
            " dashboard.reviews.apps.ReviewsDashboardConfig"
            " dashboard.vouchers.apps.VouchersDashboardConfig"
            " dashboard.communications.apps.CommunicationsDashboardConfig"
            " dashboard.shipping.apps.ShippingDashboardConfig"
        ).split()
    ),
    "haystack",
    "treebeard",
    "sorl.thumbnail",
    "django_tables2",
]
PYTHON
}

wagtail_pages() {  # wagtail_pages <MODELS: pages for the site, and their first one
  mkdir "$FOLDER/academy"
  touch "$FOLDER/academy/__init__.py"
  cat >"$FOLDER/academy/models.py"
  cat >>"$FOLDER/settings.py" <<'PYTHON'
WAGTAILADMIN_BASE_URL = "https://academy.example"
WAGTAILSEARCH_BACKENDS = {
    "default": {"BACKEND": "modelsearch.backends.database.fallback"}
}
LANGUAGE_CODE = "en"
ROOT_URLCONF = "academy_urls"
ALLOWED_HOSTS = ["testserver"]
STATIC_URL = "static/"
INSTALLED_APPS += [
    "django.contrib.staticfiles",
    "academy",
    *(
        f"wagtail.{name}"
        for name in "sites users snippets documents images search admin".split()
    ),
    "wagtail",
    "modelcluster",
    "taggit",
]
PYTHON
  cat >"$FOLDER/academy_urls.py" <<'PYTHON'
from django.urls import include, path

urlpatterns = [path("", include("wagtail.urls"))]
PYTHON
  cat >"$FOLDER/academy/first_page.py" <<'PYTHON'
from wagtail.models import Locale, Page, Site

Locale.objects.create(language_code="en")
home = Page.add_root(title="Root", slug="root").add_child(
    instance=Page(title="Academy", slug="academy")
)
Site.objects.create(hostname="testserver", root_page=home, is_default_site=True)
PYTHON
}

wagtail_lms_site() {  # pages, and the addresses of wagtail-lms at lms/
  plain_site
  wagtail_pages </dev/null
  cat >>"$FOLDER/settings.py" <<PYTHON
INSTALLED_APPS += ["wagtail_lms"]
ROOT_URLCONF = "lms_urls"
MEDIA_ROOT = "$FOLDER/media"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
PYTHON
  cat >"$FOLDER/lms_urls.py" <<'PYTHON'
from django.urls import include, path

urlpatterns = [path("lms/", include("wagtail_lms.urls"))]
PYTHON
}

seen() {  # seen EXPECTED <SCRIPT: run the script on the site; it prints what was expected
  { printf 'import django\nfrom django.core.management import call_command\n'
    printf 'django.setup()\ncall_command("migrate", run_syncdb=True, verbosity=0)\n'
    cat; } | seen_without_site "$1"
}

seen_without_site() {
  cat >"$FOLDER/script.py"
  local printed
  printed=$(cd "$FOLDER" && DJANGO_SETTINGS_MODULE=settings \
    venv/bin/python -W ignore script.py)
  printf '%s\n' "$printed"
  if [ "$printed" != "$1" ]; then
    printf '\nThis has changed. Seen before:\n%s\n' "$1" >&2
    exit 1
  fi
}
