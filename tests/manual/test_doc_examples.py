"""Every example of the manual does what the manual says, as it is printed there."""

from __future__ import annotations

import re
import secrets
import sys
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.template import engines
from django.test import RequestFactory
from django.urls import resolve, reverse
from django.utils.translation import get_language
from oscar.core.loading import get_class

from oscar_training_credits import api, signals
from oscar_training_credits.conf import settings as ours
from oscar_training_credits.credits.codes import jobs
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.shop.communication.mails import spoken_to
from oscar_training_credits.test.factories import (
    make_basket,
    make_issued,
    make_learner,
    make_product,
    make_training,
)
from sandbox.urls import urlpatterns as sandbox_urls

from ..support.orders import place_order
from ..support.shop import Learner, text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DOCS = Path(__file__).parent.parent.parent / "docs"
BEGINNING = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))


def printed(page: str, marker: str, language: str = "python") -> str:
    """Return the one example on a page that contains `marker`."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{re.escape(language)}\n(.*?)```", text, re.DOTALL)
    (found,) = [block for block in blocks if marker in block]
    return found


@pytest.fixture
def install(monkeypatch):
    """Install an example as a module of the site, with what its reader has besides."""

    def installed(page: str, marker: str, **others: Any) -> ModuleType:
        module = ModuleType("of_the_manual")
        module.__dict__.update(others)
        exec(compile(printed(page, marker), page, "exec"), module.__dict__)  # noqa: S102
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    return installed


def answer_to(user: Any, text: str) -> str:
    """Return what the basket's box says to `user` of a code."""
    shopper = Learner(user)
    shopper.add(make_training(credits=20).product)
    return shopper.apply(text)


def after_enabled(path: str) -> list[str]:
    enabled, *others = ours.CODE_RULES
    return [enabled, path, *others]


# Rules


@pytest.fixture
def staff_only(install, settings):
    install("reference/settings", "def for_staff_only")
    rules = after_enabled("of_the_manual.for_staff_only")
    settings.TRAINING_CREDITS_CODE_RULES = rules


def test_the_rule_for_staff_lets_staff_spend(staff_only):
    issued = make_issued(credits=100)

    said = answer_to(make_learner(is_staff=True), issued.text)

    assert said == "100 credits available, 80 left after this purchase."


@pytest.mark.parametrize("is_known", [False, True], ids=["visitor", "learner"])
def test_the_rule_for_staff_tells_others_nothing(staff_only, is_known):
    issued = make_issued(credits=100)
    user = make_learner() if is_known else None

    said = answer_to(user, issued.text)

    assert said == answer_to(user, "ABCD-EFGH-JKMN")
    assert "100" not in said


ON_WEEKDAYS = {
    "Friday evening in London": ("Europe/London", "2026-11-27T19:00", True),
    "Saturday in London": ("Europe/London", "2026-11-28T10:00", False),
    "Monday morning in Auckland, Sunday in UTC": (
        "Pacific/Auckland",
        "2026-11-30T08:00",
        True,
    ),
    "Saturday morning in Auckland, Friday in UTC": (
        "Pacific/Auckland",
        "2026-11-28T08:00",
        False,
    ),
    "Friday evening in Los Angeles, Saturday in UTC": (
        "America/Los_Angeles",
        "2026-11-27T19:00",
        True,
    ),
    "Sunday evening in Los Angeles, Monday in UTC": (
        "America/Los_Angeles",
        "2026-11-29T19:00",
        False,
    ),
}


@pytest.mark.parametrize(
    ("zone", "moment", "allowed"), ON_WEEKDAYS.values(), ids=ON_WEEKDAYS
)
def test_the_rule_for_weekdays_knows_the_site_s_zone(
    install, settings, zone, moment, allowed
):
    settings.TIME_ZONE = zone
    install("reference/settings", "def on_weekdays")
    settings.TRAINING_CREDITS_CODE_RULES = after_enabled("of_the_manual.on_weekdays")
    code = make_issued(credits=100, starts_at=BEGINNING).code
    local = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
    at = local.astimezone(ZoneInfo("UTC"))

    refusal = api.first_refusal(code, api.Purchase(make_learner(), at=at))

    assert (refusal is None) == allowed
    assert refusal is None or refusal.reason.value == "weekend"


def test_a_reason_of_ones_own_has_a_text_of_its_own(install, settings, tmp_path):
    module = install("reference/settings", "def on_weekdays")
    text = tmp_path / "training_credits" / "refusals" / "weekend.txt"
    text.parent.mkdir(parents=True)
    refusal = api.Refusal(module.OwnReason.WEEKEND, moment=BEGINNING)

    without = api.public_text(refusal)
    text.write_text("Come back on Monday.")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    assert without == api.public_text(api.Refusal(api.Reason.UNKNOWN))
    assert api.public_text(refusal) == "Come back on Monday."


# Other settings


def test_a_kind_of_code_of_ones_own_is_asked(install, settings):
    install("reference/settings", "def gift_card")
    kinds = ["of_the_manual.gift_card", *ours.CODE_HANDLERS]
    settings.TRAINING_CREDITS_CODE_HANDLERS = kinds
    issued = make_issued(credits=100)

    assert answer_to(make_learner(), "GIFT-1") == "Gift cards are taken at the desk."
    assert "80 left" in answer_to(make_learner(), issued.text)


def test_credits_are_called_tokens(install, settings):
    install("reference/settings", "def in_tokens")
    settings.TRAINING_CREDITS_AMOUNT_TEXT = "of_the_manual.in_tokens"
    issued = make_issued(credits=21)

    said = answer_to(make_learner(), issued.text)

    assert said.startswith("21 tokens available, 1 ")


def test_mails_speak_the_language_that_the_site_says(install, settings):
    install("reference/settings", "def chosen_language")
    settings.TRAINING_CREDITS_LEARNER_LANGUAGE = "of_the_manual.chosen_language"
    learner = make_learner()
    learner.profile = SimpleNamespace(language="de")

    with spoken_to(learner):
        assert get_language() == "de"
    with spoken_to(None):
        assert get_language() == "en"


def test_content_is_where_the_site_says(install, settings):
    install("reference/settings", "def lms_pages")
    settings.TRAINING_CREDITS_CONTENT_LOCATOR = "of_the_manual.lms_pages"
    training, learner = make_training(credits=20), make_learner()
    api.give_access(learner, training, reason="Goodwill")

    page = Learner(learner).client.get(reverse("training_credits:my-training"))

    assert f'href="/learn/{training.product_id}/"' in page.content.decode()


def test_what_is_closed_is_what_the_site_says(install, settings):
    install("reference/settings", "def closed_or_for_staff")
    settings.TRAINING_CREDITS_CLOSED_CONTENT = "of_the_manual.closed_or_for_staff"
    product = make_training(credits=20).product
    product.product_class.slug = "staff-course"
    product.product_class.save()

    def shown_to(**kind):
        page = Learner(make_learner(**kind)).client.get(product.get_absolute_url())
        return "This is for our staff." in words(page.content.decode())

    assert shown_to()
    assert not shown_to(is_staff=True)


def test_the_limits_that_are_printed_are_those_in_force(install):
    module = install("reference/settings", "TRAINING_CREDITS_THROTTLE")

    assert module.TRAINING_CREDITS_THROTTLE == ours.THROTTLE


# Python


def test_a_code_is_issued(install, capsys):
    module = install("reference/api", "api.issue_code")

    code = CreditCode.objects.get()
    assert capsys.readouterr().out == f"{module.issued.text}\n"
    assert (code.label, code.balance()) == ("ACME, spring", 100)


def test_the_factories_make_what_they_say(install):
    module = install("reference/api", "make_training(credits=20)")

    assert module.training.credits == 20
    assert module.code.code.balance() == 100


def test_a_product_is_sold_as_training(install):
    product = make_product()

    install("installation", "sell_as_training(product", product=product)

    # The last call counts, and what it does not give is the default.
    terms = api.training_of(product).terms
    assert terms == api.Terms(credits=20, access_days=90)


def test_an_order_s_mail_is_sent_again(install):
    text = make_issued(credits=100).text
    product = make_training(credits=20).product
    order = place_order(make_learner(), (product, 1), text=text)
    mail.outbox.clear()

    install("how-it-works", "send_order_placed_email_for_user", order=order)

    (sent,) = mail.outbox
    assert str(order.number) in sent.subject
    assert "20 credits" in sent.body


def test_a_receiver_refunds_what_was_taken_for_nothing(install):
    asked = []

    class Gateway:
        def refund(self, *given: Any, **named: Any) -> None:
            asked.append((given, named))

    module = install("reference/signals", "def refund", gateway=Gateway())
    payment = api.TakenPayment(reference="ch_1", amount_allocated=90, amount_debited=90)

    try:
        signals.money_taken_without_order.send_robust(None, payment=payment)
    finally:
        signals.money_taken_without_order.disconnect(module.refund)

    assert asked == [(("ch_1", payment.amount), {"key": "ch_1"})]


def test_a_receiver_enrols(install, django_capture_on_commit_callbacks):
    enrolled = []

    def enrol_later(*given: Any) -> None:
        enrolled.append(given)

    module = install("reference/signals", "def enrol", enrol_later=enrol_later)
    learner, training = make_learner(), make_training(credits=20)

    try:
        with django_capture_on_commit_callbacks(execute=True):
            api.give_access(learner, training, reason="Goodwill")
    finally:
        signals.access_given.disconnect(module.enrol)

    assert enrolled == [(learner.email, training.product.upc)]


def test_a_launch_is_for_those_with_access(install):
    module = install("lms", "def launch", launch_page=lambda *given: HttpResponse())
    training, learner = make_training(credits=20), make_learner()
    request = RequestFactory().get("/")
    request.user = learner

    with pytest.raises(PermissionDenied):
        module.launch(request, training)
    api.give_access(learner, training, reason="Goodwill")
    assert module.launch(request, training).status_code == 200
    request.user = AnonymousUser()
    with pytest.raises(PermissionDenied):
        module.launch(request, training)


# Selling


def test_what_is_sold_by_phone_is_an_order_once(install):
    module = install("selling", "def sell_by_phone")
    learner, product = make_learner(), make_training(credits=20).product
    issued = make_issued(credits=30)

    first = module.sell_by_phone(1, learner, product, issued.text)

    assert first == module.sell_by_phone(1, learner, product, issued.text)
    assert issued.code.balance() == 10
    said = module.sell_by_phone(2, learner, product, issued.code)
    assert said == "You have access already, so nothing was taken."


def test_a_kiosk_sells_what_is_typed(install):
    module = install("selling", "def kiosk")
    learner, training = make_learner(), make_training(credits=20)
    form = {"code": make_issued(credits=30).text, "key": "b7d1"}
    wrong = RequestFactory().post("/", {**form, "code": "NO-SUCH-CODE"})
    right = RequestFactory().post("/", form)

    assert module.kiosk(wrong, training, learner).status_code == 409
    assert module.kiosk(right, training, learner).status_code == 200


def test_several_products_are_one_order(install):
    module = install("selling", "def sell_several")
    products = [make_training(credits=20).product, make_training().product]
    issued = make_issued(credits=50)

    order = module.sell_several(make_learner(), products, issued.text)

    assert order.num_lines == 2
    assert issued.code.balance() == 10


def test_learners_put_codes_on_a_basket_themselves(install):
    module = install("selling", "def take_code")
    basket = make_basket(make_learner(), (make_training(credits=20).product, 1))
    issued = make_issued(credits=15)

    said = module.take_code(basket, issued.text, None)
    wrong = module.take_code(basket, "NO-SUCH-CODE", None)

    assert said == "0 credits, 5 missing"
    assert "can't be used" in wrong


def test_one_is_given_back(install, capsys):
    module = install("selling", "def give_one_back")
    text = make_issued(credits=20).text
    order = place_order(make_learner(), (make_training().product, 1), text=text)

    assert module.give_one_back(order, None) == (20, 20)
    assert capsys.readouterr().out.startswith("20 to ACME")


def test_the_default_rules_are_extended(install):
    module = install("reference/settings", "enabled, *others")

    first, second, *others = module.TRAINING_CREDITS_CODE_RULES
    assert second == "shop.rules.for_staff_only"
    assert [first, *others] == ours.CODE_RULES


# Classes that are mixed by hand


def test_a_strategy_that_is_mixed_by_hand_knows_credits(install):
    module = install("reference/mixins", "class Selector")
    product = make_training(credits=20, credit_only=True).product

    price = module.Selector().strategy().fetch_for_product(product).price

    assert (price.exists, price.credits, price.incl_tax) == (True, 20, 0)


def test_a_view_that_is_mixed_by_hand_guards_the_preview(install):
    module = install("installation", "class PaymentDetailsView")
    from oscar_training_credits.shop.loading import MIXINS, extended

    assert ("checkout.views", "PaymentDetailsView") in MIXINS
    cls = module.PaymentDetailsView
    assert extended(cls, "checkout.views", "PaymentDetailsView") is cls


# Templates


def test_a_price_in_credits_is_printed():
    source = printed("reference/template-tags", "credits_of_product", "html+django")
    template = engines["django"].from_string(source)
    request = RequestFactory().get("/")
    request.strategy = get_class("partner.strategy", "Selector")().strategy()

    def shown(product: Any) -> str:
        return words(template.render({"product": product}, request))

    assert shown(make_training(credits=20).product) == "20 credits"
    assert shown(make_product()) == ""


def test_the_purchase_box_is_on_the_product_s_page(settings, tmp_path):
    source = printed("installation", "oscar/catalogue/detail.html", "html+django")
    file = tmp_path / "oscar" / "catalogue" / "detail.html"
    file.parent.mkdir(parents=True)
    file.write_text(source)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    product = make_training(credits=20).product

    page = Learner(make_learner()).client.get(product.get_absolute_url())

    assert "Purchase with 20 Credits" in words(page.content.decode())


def test_what_a_path_opens_is_listed():
    source = printed("installation", "for course in opened", "html+django")
    opened = [
        {
            "link": "/one/",
            "title": "One",
            "access_status": api.AccessStatus(has_access=True),
        },
        {
            "link": "/two/",
            "title": "Two",
            "access_status": api.AccessStatus(has_access=False),
        },
    ]

    page = engines["django"].from_string(source).render({"opened": opened})

    assert words(page) == "One Already yours Two"
    assert 'href="/two/"' in page


# Pages


def test_restricted_blocks_are_for_learners_with_access(install):
    module = install("installation", "class MemberBlocks")

    texts = [{"type": "text", "value": f"<p>{each}</p>"} for each in ("All", "Few")]
    members = {"type": "members", "value": texts[1:]}

    body = module.BodyBlocks().to_python([texts[0], members])

    shown = words(body.render_as_block())
    assert "All" in shown
    assert "Few" not in shown


def test_a_generator_of_ones_own_issues_many_codes(install, settings):
    module = install("reference/settings", "def generate", secrets=secrets)
    settings.TRAINING_CREDITS_CODE_GENERATOR = f"{module.__name__}.generate"
    staff = make_learner()

    job = jobs.plan_issue(2, key="any", by=staff, label="ACME", credits=5)
    jobs.confirm(job, by=staff)
    jobs.run(job.pk)
    job.refresh_from_db()

    texts = list(jobs.hand_out(job, by=staff))
    assert all(text.startswith("ACME-") for text in texts)
    assert len({api.find_code(text) for text in texts} - {None}) == 2
    assert module.generate() != module.generate()


def test_all_examples_of_the_settings_are_tried():
    """A new example of a function needs a test of its own here."""
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    tests = Path(__file__).read_text(encoding="utf-8")

    for name in re.findall(r"^def (\w+)", blocks, re.MULTILINE):
        assert f'"def {name}"' in tests


# docs/decisions/replacing-views.md


def test_a_view_of_the_sites_own_is_where_ours_was(install, settings, admin_client):
    place_order(make_learner(first_name="Lee"), (make_training().product, 1))
    site = install("decisions/replacing-views", "OurAccessListView")
    site.urlpatterns += sandbox_urls
    settings.ROOT_URLCONF = site.__name__

    address = reverse("training_credits:access-list")
    page = text_of(admin_client.get(address))

    assert resolve(address).func.view_class is site.OurAccessListView
    assert "First name" in page
    assert "Lee" in page
