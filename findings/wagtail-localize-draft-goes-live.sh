#!/usr/bin/env bash
# wagtail-localize 1.14.5: `Translation.save_target(publish=False)`, which its docs say
# saves a draft of the translation, writes the new texts and values to the live page and
# then makes the draft. Visitors of the German page read the price and the text that
# nobody has published, while Wagtail's editor says that there are unpublished changes.
. "$(dirname "$0")/_site.sh"
packages "django==5.2.19" wagtail==8.0.1 wagtail-localize==1.14.5
plain_site
wagtail_pages <<'PYTHON'
from django.db import models
from wagtail.models import Page


class Course(Page):
    content = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
PYTHON
cat >>"$FOLDER/settings.py" <<'PYTHON'
WAGTAIL_I18N_ENABLED = True
LANGUAGES = WAGTAIL_CONTENT_LANGUAGES = [("en", "English"), ("de", "German")]
INSTALLED_APPS += ["wagtail_localize", "wagtail_localize.locales"]
PYTHON
seen "Published: 90.00, Three days
After a draft was saved, published: 90.00, Three days
and live: 120.00, Five days
The editor says: unpublished changes" <<'PYTHON'
from academy.first_page import home
from academy.models import Course
from wagtail.models import Locale
from wagtail_localize.models import Translation, TranslationSource
from wagtail_localize.operations import translate_object

german = Locale.objects.create(language_code="de")
home.copy_for_translation(german)
course = home.add_child(
    instance=Course(title="Welding", slug="welding", content="Three days", price="90.00")
)
course.save_revision().publish()
translate_object(course, [german])
translation = Translation.objects.get(source__object_id=course.translation_key)
translation.save_target(publish=True)


def shown(page):
    return f"{page.price:.2f}, {page.content}"


print("Published:", shown(Course.objects.get(locale=german)))
course.refresh_from_db()
course.content, course.price = "Five days", "120.00"
course.save_revision().publish()
TranslationSource.update_or_create_from_instance(course)
translation.refresh_from_db()
translation.save_target(publish=False)
live = Course.objects.get(locale=german)
published = live.live_revision.as_object()
print("After a draft was saved, published:", shown(published))
print("and live:", shown(live))
print("The editor says:", "unpublished changes" if live.has_unpublished_changes else "-")
PYTHON
