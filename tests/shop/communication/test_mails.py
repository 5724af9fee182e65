"""Learners are told by mail what staff give them, give back and cancel."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.contrib.sites.models import Site
from django.core import mail
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import translation
from oscar.core.loading import get_model
from oscar.test.factories import create_product

from oscar_training_credits import api
from oscar_training_credits.checks import check_settings
from oscar_training_credits.conf import ACCESS_GIVEN, CREDITS_GIVEN_BACK, MAILS
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import confirm, place_order
from ...support.shop import text_of, words

Email = get_model("communication", "Email")
EventType = get_model("communication", "CommunicationEventType")

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
CANCEL = {"order_action": "change_order_status", "new_status": "Cancelled"}
BACK = {"order_action": "give_all_credits_back"}
GIVE = reverse("training_credits:access-give")


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def learner():
    return make_learner(email="lee@acme.example")


@pytest.fixture
def training():
    return make_training("Tools & <Trade>", price="240.00", credits=20)


@pytest.fixture
def order(learner, code, training):
    placed = place_order(learner, (training.product, 1), text=TEXT)
    mail.outbox.clear()
    return placed


def address(order):
    return reverse("dashboard:order-detail", args=[order.number])


def fields_of(page):
    found = BeautifulSoup(page.content, "html.parser").select("[type=hidden]")
    return {str(field["name"]): str(field["value"]) for field in found}


def give(client, learner, training):
    """Give access twice by one page, as by a double click; return the page."""
    page = client.get(GIVE)
    form = {
        "email": learner.email,
        "training": str(training.pk),
        "reason": "Goodwill",
        "key": fields_of(page)["key"],
    }
    for _click in range(2):
        assert client.post(GIVE, form).status_code == 302
    return page


def give_back(client, order):
    """Give all credits back twice by one page; return the page that asks."""
    page = client.post(address(order), BACK)
    for _click in range(2):
        client.post(address(order), fields_of(page))
    return page


def the_mail():
    (message,) = mail.outbox
    html = message.alternatives[0][0]
    return message, " ".join(message.body.split()), html


def test_a_learner_hears_of_access_that_staff_give(
    admin_client, learner, training, django_capture_on_commit_callbacks
):
    Site.objects.update(name="Smith & Sons")
    Site.objects.clear_cache()
    with django_capture_on_commit_callbacks(execute=True):
        page = give(admin_client, learner, training)

    message, text, html = the_mail()
    assert "The learner gets a mail about it." in words(text_of(page))
    assert message.to == ["lee@acme.example"]
    assert message.subject == "You have access to Tools & <Trade>"
    assert "you were given access to Tools & <Trade>." in text
    assert training.product.get_absolute_url() in text
    assert "http" in text
    assert "Tools &amp; &lt;Trade&gt;" in html
    assert "Goodwill" not in text + html
    assert "The Smith & Sons team" in text


def test_what_is_bought_or_given_by_nobody_sends_none(
    order, learner, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        api.give_access(learner, make_training("Other"), reason="A thousand at once")

    assert not mail.outbox


def test_a_customer_hears_of_credits_that_staff_give_back(
    admin_client, order, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        page = give_back(admin_client, order)

    message, text, html = the_mail()
    assert "A mail about it goes to lee@acme.example." in words(text_of(page))
    assert message.subject == f"20 credits of your order {order.number} given back"
    assert "Back on ACME (code ending 2026): 20 credits." in text
    assert "Your access to Tools & <Trade> that you had by this order has" in text
    assert f"/orders/{order.number}/" in text
    assert "Tools &amp; &lt;Trade&gt;" in html


def test_a_customer_hears_of_an_order_that_is_cancelled(
    admin_client, order, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        asked = admin_client.post(address(order), CANCEL)
        admin_client.post(address(order), {**fields_of(asked)})
        admin_client.post(address(order), {**fields_of(asked)})

    message, text, _html = the_mail()
    assert "A mail about it goes to lee@acme.example." in words(text_of(asked))
    assert message.subject == f"Your order {order.number}: Cancelled"
    assert f"the status of your order {order.number} is now “Cancelled”." in text
    assert "Back on ACME (code ending 2026): 20 credits." in text


def test_several_lines_are_one_mail(
    admin_client, learner, code, training, django_capture_on_commit_callbacks
):
    other = make_training("Second", price="90.00", credits=5)
    lines = (training.product, 1), (other.product, 1)
    order = place_order(learner, *lines, text=TEXT)
    mail.outbox.clear()
    form = {
        "line_action": "change_line_statuses",
        "new_status": "Cancelled",
        "selected_line": [line.pk for line in order.lines.all()],
    }
    form |= {f"selected_line_qty_{line.pk}": 1 for line in order.lines.all()}

    with django_capture_on_commit_callbacks(execute=True):
        confirm(admin_client, address(order), form)

    message, text, _html = the_mail()
    assert message.subject == f"Part of your order {order.number} was cancelled"
    assert "Back on ACME (code ending 2026): 25 credits." in text
    assert text.count("has ended.") == 2


@pytest.mark.parametrize("do", [CANCEL, BACK], ids=["cancelled", "given back"])
def test_who_loses_a_claimed_place_hears_of_it_once(
    admin_client,
    learner,
    code,
    training,
    do,
    django_capture_on_commit_callbacks,
):
    order = place_order(learner, (training.product, 3), text=TEXT)
    first, second, _free = api.places_of(order)
    api.claim_place(first, make_learner(email="ana@acme.example"))
    api.claim_place(second, make_learner(email=""))
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        page = admin_client.post(address(order), do)
        for _click in range(2):
            admin_client.post(address(order), fields_of(page))

    assert "2 learners lose access" in words(text_of(page))
    assert "Who loses a place gets a mail about it" in words(text_of(page))
    assert sorted(message.to[0] for message in mail.outbox) == [
        "ana@acme.example",
        "lee@acme.example",
    ]
    (told,) = [each for each in mail.outbox if each.to == ["ana@acme.example"]]
    assert told.subject == "Your place on Tools & <Trade> was taken back"
    assert reverse("training_credits:my-training") in told.body
    assert "Tools &amp; &lt;Trade&gt;" in told.alternatives[0][0]
    assert str(order.number) not in told.body


def test_access_by_a_place_that_staff_end_sends_none(
    learner, code, training, django_capture_on_commit_callbacks
):
    first, *_others = api.places_of(
        place_order(learner, (training.product, 2), text=TEXT)
    )
    claimed = api.claim_place(first, make_learner(email="ana@acme.example"))
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        api.end_access(claimed, reason="Has left")

    assert not mail.outbox


def test_an_order_that_loses_nothing_sends_none(
    admin_client, learner, django_capture_on_commit_callbacks
):
    order = place_order(learner, (create_product(price="5.00", num_in_stock=9), 1))

    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(address(order), CANCEL)

    order.refresh_from_db()
    assert order.status == "Cancelled"
    assert not mail.outbox


def test_each_mail_can_be_turned_off(
    admin_client, settings, order, learner, django_capture_on_commit_callbacks
):
    settings.TRAINING_CREDITS_MAILS = []

    with django_capture_on_commit_callbacks(execute=True):
        given = give(admin_client, learner, make_training("Other"))
        back = give_back(admin_client, order)
        several = place_order(learner, (make_training(credits=9).product, 2), text=TEXT)
        api.claim_place(api.places_of(several)[0], make_learner())
        mail.outbox.clear()
        places_back = give_back(admin_client, several)

    assert not mail.outbox
    for page in (given, back, places_back):
        assert "No mail is sent about it." in words(text_of(page))
    assert "Who loses a place gets no mail." in words(text_of(places_back))


@pytest.mark.parametrize("chosen", [["ORDER_PLACED"], CREDITS_GIVEN_BACK, [[]]])
def test_a_mail_that_there_is_not_is_named_by_a_check(settings, chosen):
    settings.TRAINING_CREDITS_MAILS = chosen

    (message,) = check_settings(None)

    assert message.id == "training_credits.E027"


def test_a_row_saved_unchanged_in_djangos_admin_stops_no_mail(
    admin_client, order, django_capture_on_commit_callbacks
):
    row = EventType.objects.create(code=CREDITS_GIVEN_BACK, name="Credits back")
    change = reverse("admin:communication_communicationeventtype_change", args=[row.pk])
    admin_client.post(
        change,
        {"code": row.code, "name": row.name, "category": row.category},
    )
    row.refresh_from_db()
    assert row.email_body_template == row.email_body_html_template == ""

    with django_capture_on_commit_callbacks(execute=True):
        give_back(admin_client, order)

    message, text, _html = the_mail()
    assert message.subject.startswith("20 credits of your order")
    assert "Back on ACME" in text
    assert order.communication_events.get().event_type == row


def test_a_row_of_the_sites_own_is_used(
    admin_client, order, django_capture_on_commit_callbacks
):
    EventType.objects.create(
        code=CREDITS_GIVEN_BACK,
        name="Credits back",
        email_subject_template="Ours {{ order.number }}",
        email_body_template="Hi {{ user.email }}",
        email_body_html_template="",
    )

    with django_capture_on_commit_callbacks(execute=True):
        give_back(admin_client, order)

    (message,) = mail.outbox
    assert message.subject == f"Ours {order.number}"
    assert message.body == "Hi lee@acme.example"
    assert not getattr(message, "alternatives", [])


def test_who_has_no_address_gets_none_and_staff_are_told(
    admin_client, order, learner, django_capture_on_commit_callbacks
):
    EventType.objects.create(code=CREDITS_GIVEN_BACK, name="Credits back")
    learner.email, learner.first_name = "", "Lee"
    learner.save()

    with django_capture_on_commit_callbacks(execute=True):
        page = give_back(admin_client, order)

    text = words(text_of(page))
    assert "No mail is sent about it: Lee has no e-mail address." in text
    assert not mail.outbox
    assert not order.communication_events.exists()


def test_a_mail_server_that_is_down_undoes_nothing(
    admin_client, settings, order, code, caplog, django_capture_on_commit_callbacks
):
    settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"

    with django_capture_on_commit_callbacks(execute=True):
        give_back(admin_client, order)

    assert code.balance() == 100
    assert "SMTPServerDisconnected" in caplog.text


def test_what_is_rolled_back_sends_none(
    order, admin_user, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        try:
            with transaction.atomic():
                api.refund_order(order, idempotency_key="once", by=admin_user)
                raise DatabaseError
        except DatabaseError:
            pass

    assert not mail.outbox


def test_the_mail_speaks_the_learners_language_not_that_of_the_staff(
    settings, order, admin_user, django_capture_on_commit_callbacks
):
    settings.TRAINING_CREDITS_LEARNER_LANGUAGE = f"{__name__}.german"

    with (
        translation.override("fr"),
        django_capture_on_commit_callbacks(execute=True),
    ):
        api.refund_order(order, idempotency_key="once", by=admin_user)

    (message,) = mail.outbox
    # Oscar's own part of the mail, which it translates.
    assert "Danke" in message.body or "Vielen Dank" in message.body


def german(user):
    return "de"


def test_the_settings_name_every_mail():
    assert ACCESS_GIVEN in MAILS
    assert all(EventType(code=code).get_messages({})["subject"] for code in MAILS)
