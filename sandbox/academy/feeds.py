from django.contrib.syndication.views import Feed

from .models import CoursePage


class CourseFeed(Feed):
    title = "Northlight Academy: courses"
    link = "/courses/"
    description = "New courses, newest first."

    def items(self):
        courses = CoursePage.objects.live().public().order_by("-first_published_at")
        # One outside every site has no address to name.
        return [page for page in courses if page.url][:20]

    def item_title(self, page):
        return page.title

    def item_description(self, page):
        return page.intro

    def item_link(self, page):
        return page.url

    def item_pubdate(self, page):
        return page.first_published_at
