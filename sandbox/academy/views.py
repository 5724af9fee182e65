from django.core.paginator import Paginator
from django.shortcuts import render
from wagtail.models import Page, Site


def search(request):
    """Search all public pages, for whole words first and then for beginnings."""
    words = request.GET.get("q", "").strip()
    site = Site.find_for_request(request)
    pages = Page.objects.live().public().in_site(site).filter(depth__gt=2).specific()
    found = pages.search(words) or pages.autocomplete(words) if words else pages.none()
    return render(
        request,
        "academy/search.html",
        {
            "words": words,
            "results": Paginator(found, 10).get_page(request.GET.get("page")),
        },
    )
