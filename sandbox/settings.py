"""A training company's site: Wagtail pages, an Oscar shop, and training credits.

Read it as the installation guide. Lines marked "training credits" are all that
the package needs; the rest is how Oscar and Wagtail live together.
"""

import os
from pathlib import Path

import dj_database_url
from django.urls import reverse_lazy
from oscar.defaults import *  # noqa: F403
from oscar.defaults import OSCAR_DASHBOARD_NAVIGATION

from oscar_training_credits.navigation import TRAINING

BASE_DIR = Path(__file__).resolve().parent

# Where everything that the site writes goes; set it to run two sites side by side.
DATA_DIR = Path(os.environ.get("SANDBOX_DATA", BASE_DIR))

SECRET_KEY = "only-for-the-sandbox"  # codes are kept as digests made with this key
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
INTERNAL_IPS = ["127.0.0.1"]
ROOT_URLCONF = "sandbox.urls"
WSGI_APPLICATION = "sandbox.wsgi.application"
SITE_ID = 1  # Oscar's checkout asks for django.contrib.sites' site

INSTALLED_APPS = [
    # This site. First, so that its templates win.
    "sandbox.academy",
    # Training credits. Before Oscar, so that its templates extend Oscar's.
    "oscar_training_credits",
    "oscar_training_credits.credits",
    "oscar_training_credits.cms",
    # Before wagtail.search: both have a command named update_index, and
    # Oscar's rebuild_index needs Haystack's.
    "haystack",
    # Wagtail
    "wagtail.contrib.redirects",
    "wagtail.contrib.simple_translation",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail.api.v2",
    "wagtail",
    "modelcluster",
    "taggit",
    "rest_framework",
    # Django
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "django.contrib.flatpages",
    # Oscar
    "oscar.config.Shop",
    "oscar.apps.analytics.apps.AnalyticsConfig",
    "oscar.apps.checkout.apps.CheckoutConfig",
    "oscar.apps.address.apps.AddressConfig",
    "oscar.apps.shipping.apps.ShippingConfig",
    "oscar.apps.catalogue.apps.CatalogueConfig",
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    "oscar.apps.partner.apps.PartnerConfig",
    "oscar.apps.basket.apps.BasketConfig",
    "oscar.apps.payment.apps.PaymentConfig",
    "oscar.apps.offer.apps.OfferConfig",
    "oscar.apps.order.apps.OrderConfig",
    "oscar.apps.customer.apps.CustomerConfig",
    "oscar.apps.search.apps.SearchConfig",
    "oscar.apps.voucher.apps.VoucherConfig",
    "oscar.apps.wishlists.apps.WishlistsConfig",
    "oscar.apps.dashboard.apps.DashboardConfig",
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    "widget_tweaks",
    "treebeard",
    "sorl.thumbnail",
    "django_tables2",
]

# Training credits. Oscar's own setting: puts the package's behaviour on top of
# Oscar's classes, or of this site's forks of them.
OSCAR_DYNAMIC_CLASS_LOADER = "oscar_training_credits.shop.loading.class_loader"

# Customers may buy for up to so many learners at once, each with a link of their own.
TRAINING_CREDITS_MOST_PLACES = 25

# Who gets requests for credits from learners without a code that somebody looks after.
TRAINING_CREDITS_REQUESTS_ADDRESS = "training@northlight.example"

# Other systems are told of what happens to credits, once staff have made a webhook.
TRAINING_CREDITS_WEBHOOKS = True

# Training credits. Error mails show no code that was typed.
DEFAULT_EXCEPTION_REPORTER_FILTER = (
    "oscar_training_credits.shop.error_reports.ErrorReportFilter"
)

# Training credits. Its pages in the menu of Oscar's dashboard.
OSCAR_DASHBOARD_NAVIGATION = [*OSCAR_DASHBOARD_NAVIGATION, TRAINING]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",  # after the log-in
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ],
        },
    },
]

# One database for all. SQLite by default; DATABASE_URL chooses another, such as
# postgres://user:password@localhost/academy or mysql://user:password@localhost/academy
DATABASES = {
    "default": dj_database_url.config(default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")
}
DATABASE = DATABASES["default"]
match DATABASE["ENGINE"].rpartition(".")[2]:
    case "sqlite3":
        # SQLite has no row locks. Two checkouts at once need transactions that
        # lock when they begin, and patience.
        DATABASE["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    case "postgresql":
        INSTALLED_APPS.append("django.contrib.postgres")  # Wagtail's search
    case "mysql":
        DATABASE.setdefault("OPTIONS", {})["charset"] = "utf8mb4"
        try:
            import MySQLdb  # noqa: F401
        except ImportError:
            import pymysql

            pymysql.install_as_MySQLdb()

# Training credits. Many codes are issued by a worker where there is one: `make sandbox`
# starts it. Otherwise the page of the progress does it.
if os.environ.get("SANDBOX_WORKER"):
    INSTALLED_APPS.append("django_tasks_db")
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # as in Oscar's migrations

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Europe/London"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static_root"
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA_DIR / "media"

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL = OSCAR_FROM_EMAIL = "hello@northlight.example"

# One log-in for the shop, the pages and the admin sites. People use their e-mail.
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = WAGTAIL_FRONTEND_LOGIN_URL = reverse_lazy("customer:login")
LOGIN_REDIRECT_URL = "/"

# Oscar
OSCAR_SHOP_NAME = "Northlight Academy"
OSCAR_SHOP_TAGLINE = ""
OSCAR_HOMEPAGE = "/"
OSCAR_DEFAULT_CURRENCY = "GBP"
OSCAR_HIDDEN_FEATURES = ["reviews", "wishlists"]
OSCAR_ALLOW_ANON_CHECKOUT = False  # a course belongs to an account
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Complete"
OSCAR_ORDER_STATUS_PIPELINE = {"Complete": ("Cancelled",), "Cancelled": ()}
OSCAR_LINE_STATUS_PIPELINE = OSCAR_ORDER_STATUS_PIPELINE
OSCAR_ORDER_STATUS_CASCADE = {"Cancelled": "Cancelled"}

# Oscar's product lists come from Haystack: with its "simple" backend they are empty.
HAYSTACK_CONNECTIONS = {
    "default": {
        "ENGINE": "haystack.backends.whoosh_backend.WhooshEngine",
        "PATH": str(DATA_DIR / "whoosh_index"),
        # Ours stands in for it: sorting by price puts no credit-only product first.
        "EXCLUDED_INDEXES": ["oscar.apps.search.search_indexes.ProductIndex"],
    }
}

OSCAR_SEARCH_FACETS = {"fields": {}, "queries": {}}  # Whoosh's are cut-off words

# Wagtail
WAGTAIL_SITE_NAME = "Northlight Academy"
WAGTAIL_ENABLE_UPDATE_CHECK = False  # ask nothing of other machines
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAILADMIN_BASE_URL = f"http://localhost:{os.environ.get('PORT', 8000)}"
