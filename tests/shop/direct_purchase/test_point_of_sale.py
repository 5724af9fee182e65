"""Selling by code: without a page, a request, and ever any money."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core import mail
from django.db import OperationalError, transaction
from django.utils import timezone
from oscar.apps.checkout.signals import post_checkout
from oscar.apps.order.signals import order_placed
from oscar.core.loading import get_model
from wagtail.models import PageViewRestriction

from oscar_training_credits import api, signals
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import (
    Access,
    AppliedCode,
    DirectPurchase,
    LedgerEntry,
    MoneyChoice,
    Redemption,
)
from oscar_training_credits.exceptions import IdempotencyKeyReused, PurchaseRefused
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.direct_purchase import point_of_sale
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support import visits
from ...support.gateways import Redirecting, install
from ...support.pages import make_course
from ...support.shop import Learner
from .test_direct_purchase import Buyer

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")
Option = get_model("catalogue", "Option")

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)

TEXT = "ACME-TEAM-2026"


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def training():
    return make_training(credits=20)


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def sell(training, learner, code):
    """What sells the training to the learner, by a new key each time."""
    keys = iter(range(100))

    def sold(**given):
        terms = {
            "learner": learner,
            "code": code,
            "idempotency_key": f"kiosk-{next(keys)}",
            **given,
        }
        return api.purchase(terms.pop("training", training), **terms)

    return sold


@pytest.fixture
def heard():
    """The signals of a sale, in the order in which they are sent."""
    names = []
    watched = {
        "order_placed": order_placed,
        "credits_redeemed": signals.credits_redeemed,
        "post_checkout": post_checkout,
    }
    receivers = [
        (signal, lambda name=name, **kwargs: names.append(name))
        for name, signal in watched.items()
    ]
    for signal, receiver in receivers:
        signal.connect(receiver)
    yield names
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def left_behind():
    """Return how many rows a purchase has written."""
    models = (Order, Basket, DirectPurchase, AppliedCode, Redemption, Access)
    return sum(model._default_manager.count() for model in models)


# Selling one product


@committed
def test_it_is_sold_as_by_the_button_of_its_page(sell, learner, code, heard):
    order = sell(code=TEXT)

    assert (order.user, order.total_incl_tax, order.num_lines) == (learner, 0, 1)
    assert order.basket.status == Basket.SUBMITTED
    assert order.sources.get().label == "20 credits, ACME (code ending 2026)"
    assert Access.objects.get().order_line.order == order
    assert code.balance() == 80
    assert [message.to for message in mail.outbox] == [[learner.email]]
    assert "20 credits" in mail.outbox[0].body
    assert heard == ["credits_redeemed", "order_placed", "post_checkout"]
    assert list(api.audit()) == []


def test_the_same_key_again_returns_the_first_order(sell, code):
    first = sell(idempotency_key="phone-1")
    code.grants.update(remaining=0)

    assert sell(idempotency_key="phone-1") == first
    assert sell(idempotency_key="phone-1", code=TEXT, credits=20) == first
    assert Order.objects.count() == 1


@pytest.mark.parametrize("other", ["training", "learner", "code", "text", "credits"])
def test_a_key_for_another_sale_is_refused(sell, other):
    sell(idempotency_key="phone-1")
    others = {
        "training": lambda: make_training("Another"),
        "learner": make_learner,
        "code": lambda: make_code(100),
        "text": lambda: "NO-SUCH-CODE-1",
        "credits": lambda: 19,
    }
    name = "code" if other == "text" else other

    with pytest.raises(IdempotencyKeyReused):
        sell(idempotency_key="phone-1", **{name: others[other]()})

    assert Order.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 65])
def test_a_key_is_needed(sell, key):
    with pytest.raises(ValueError, match="1 to 64"):
        sell(idempotency_key=key)


def test_two_keys_are_two_sales(sell, training, code):
    sell_as_training(training.product, credits=20, access_days=90)
    training.refresh_from_db()

    sell()
    sell()

    assert Order.objects.count() == 2
    assert code.balance() == 60


def anew(training):
    return {"training": api.TrainingProduct.objects.get(pk=training.pk)}


def too_few(training, learner, code):
    return {"code": make_code(10)}


def wrong(training, learner, code):
    return {"code": "NO-SUCH-CODE-1"}


def promotion(training, learner, code):
    return {"code": "SPRING10"}


def disabled(training, learner, code):
    api.set_state(code, "disabled")


def expired(training, learner, code):
    return {"code": make_code(50, expires_at=timezone.now() - timedelta(days=1))}


def for_others(training, learner, code):
    return {"code": make_code(50, learners=[make_learner()])}


def other_content(training, learner, code):
    books = get_model("offer", "Range").objects.create(name="Books")
    return {"code": make_code(50, content=books)}


def within_a_share(training, learner, code):
    return {"code": make_code(50, credits_per_learner=10)}


def off_sale(training, learner, code):
    type(training.product).objects.update(is_public=False)
    return anew(training)


def over(training, learner, code):
    yesterday = timezone.localdate() - timedelta(days=1)
    sell_as_training(training.product, credits=20, access_until=yesterday)
    return anew(training)


def had_already(training, learner, code):
    api.give_access(learner, training, reason="Goodwill")


def sold_out(training, learner, code):
    training.product.product_class.track_stock = True
    training.product.product_class.save()
    training.product.stockrecords.update(num_in_stock=0)
    return anew(training)


def with_options(training, learner, code):
    size = Option.objects.create(name="Size", code="size", required=True)
    training.product.product_class.options.add(size)


def for_money(training, learner, code):
    return {"training": make_training("For money", credits=None)}


def for_nobody(training, learner, code):
    return {"learner": AnonymousUser()}


def private(training, learner, code):
    page = make_course(make_product("Private"), credits=20)
    closed = PageViewRestriction.objects.create(page=page, restriction_type="groups")
    closed.groups.add(Group.objects.create(name="Team"))
    return {"training": page.training}


def dearer(training, learner, code):
    return {"credits": 19}


REFUSED = [
    (too_few, "10 credits left on your codes, 10 credits too few"),
    (wrong, "This code can't be used"),
    (promotion, "This is a promotion code."),
    (disabled, "This code can't be used"),
    (expired, "This code expired on"),
    (for_others, "This code can't be used"),
    (other_content, "can't pay for what you are buying"),
    (within_a_share, "10 credits too few"),
    (off_sale, "can't be bought here at the moment"),
    (over, "Access to this ended on"),
    (had_already, "You have access already, so nothing was taken."),
    (sold_out, "This is sold out."),
    (with_options, "Choose its options"),
    (for_money, "can't be bought here at the moment"),
    (for_nobody, "Log in or register to buy training."),
    (private, "Only certain learners may open this"),
    (dearer, "A price or a code has changed."),
]


@pytest.mark.usefixtures("voucher")
@pytest.mark.parametrize(
    ("why", "said"), REFUSED, ids=[why.__name__ for why, _said in REFUSED]
)
def test_what_the_button_would_not_sell_is_refused_and_leaves_nothing(
    sell, training, learner, code, why, said
):
    given = why(training, learner, code) or {}
    before, entries = left_behind(), LedgerEntry.objects.count()

    with pytest.raises(PurchaseRefused, match=said):
        sell(**given)

    assert (left_behind(), LedgerEntry.objects.count()) == (before, entries)
    assert mail.outbox == []


def test_what_the_site_sells_once_is_not_sold_again(sell, training, settings):
    settings.TRAINING_CREDITS_BUY_AGAIN = "never"
    sell_as_training(training.product, credits=20, access_days=90)
    sell()

    with pytest.raises(PurchaseRefused, match="can't be bought again"):
        sell()

    assert Order.objects.count() == 1


def on_no_day(code, purchase):
    return api.Refusal(api.Reason.DISABLED)


@pytest.mark.parametrize("code_is", ["text", "record"])
def test_a_rule_of_the_sites_own_is_asked(sell, code, settings, code_is):
    settings.TRAINING_CREDITS_CODE_RULES = [f"{__name__}.on_no_day"]

    with pytest.raises(PurchaseRefused, match="This code can't be used"):
        sell(code=TEXT if code_is == "text" else code)


def test_a_refusal_says_why_as_a_value(sell, code):
    code.grants.update(credits=10, remaining=10)

    with pytest.raises(PurchaseRefused) as refused:
        sell()

    refusal = refused.value.refusal
    assert (refusal.reason, refusal.missing) == (api.Reason.NOT_ENOUGH, 10)


def test_a_refused_sale_can_be_tried_again_with_its_key(sell, code):
    api.set_state(code, "disabled")
    with pytest.raises(PurchaseRefused):
        sell(idempotency_key="phone-1")
    api.set_state(code, "active")

    assert sell(idempotency_key="phone-1").total_incl_tax == 0


def test_what_was_shown_may_be_cheaper_by_now(sell, code):
    sell(credits=35)

    assert code.balance() == 80


def test_wrong_codes_are_counted_for_whoever_tries_them(sell, settings):
    settings.TRAINING_CREDITS_THROTTLE = {"session": "2/h"}
    visitor = api.Requester(session_key="kiosk")

    for _ in range(2):
        with pytest.raises(PurchaseRefused, match="can't be used"):
            sell(code="NO-SUCH-CODE-1", requester=visitor)

    with pytest.raises(PurchaseRefused) as refused:
        sell(code=TEXT, requester=visitor)
    assert refused.value.refusal.reason == api.Reason.THROTTLED
    assert sell(code=TEXT)


def test_what_a_learner_does_on_the_page_meanwhile_is_another_purchase(course, code):
    other = make_code(100, text="ANOTHER-CODE-1")
    buyer = Buyer(course)
    buyer.box("ANOTHER-CODE-1")

    api.purchase(
        course.training, learner=buyer.user, code=code, idempotency_key="phone-1"
    )

    assert (code.balance(), other.balance()) == (80, 100)
    assert "You have access" in buyer.page()


def test_a_sale_that_was_cut_off_is_taken_up_again(
    sell, training, learner, monkeypatch
):

    class CutOff(BaseException):
        pass

    class Nothing:
        def __init__(self, basket):
            raise CutOff

    with monkeypatch.context() as patch:
        patch.setattr(point_of_sale, "OfflinePlacement", Nothing)
        with pytest.raises(CutOff):
            sell(idempotency_key="phone-1")
    begun = Basket.objects.get()

    order = sell(idempotency_key="phone-1")

    assert order.basket == begun
    assert Basket.objects.count() == 1


# In transactions


def test_in_a_transaction_of_the_caller_mail_waits_for_its_commit(
    sell, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        sell()
        assert mail.outbox == []

    assert len(mail.outbox) == 1


def test_a_mail_server_that_fails_then_does_no_harm(
    sell, settings, django_capture_on_commit_callbacks
):
    settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"

    with django_capture_on_commit_callbacks(execute=True):
        order = sell()

    assert Order.objects.get() == order


def test_a_transaction_that_is_undone_takes_the_sale_along(
    sell, code, django_capture_on_commit_callbacks
):
    before = left_behind()

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        sell(idempotency_key="phone-1")
        transaction.set_rollback(True)

    assert left_behind() == before
    assert code.balance() == 100
    assert mail.outbox == []
    assert sell(idempotency_key="phone-1")


def test_a_refusal_leaves_the_callers_transaction_usable(sell, code):
    with transaction.atomic():
        with pytest.raises(PurchaseRefused):
            sell(credits=19)
        kept = make_learner()

    assert type(kept).objects.filter(pk=kept.pk).exists()
    assert code.balance() == 100


@committed
def test_a_receiver_and_a_mail_server_that_fail_undo_nothing(sell, code, settings):
    settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"

    def fail(order, **kwargs):
        type(order.user).objects.create(username=order.user.username)

    order_placed.connect(fail)
    try:
        order = sell(idempotency_key="phone-1")
    finally:
        order_placed.disconnect(fail)

    assert order == Order.objects.get() == sell(idempotency_key="phone-1")
    assert code.balance() == 80


def test_a_database_that_gives_up_is_no_sale(sell, monkeypatch):
    def give_up(code_ids):
        raise OperationalError("lock timeout")

    monkeypatch.setattr(redemption, "lock_codes", give_up)

    with pytest.raises(PurchaseRefused, match="nothing was taken"):
        sell()


@committed
def test_in_a_view_that_is_one_transaction(sell, code, atomic_requests):
    def sell_to_visitor(request):
        order = sell(idempotency_key="kiosk")
        return order, sell(idempotency_key="kiosk"), len(mail.outbox)

    first, second, sent = visits.visit(sell_to_visitor)

    assert first == second == Order.objects.get()
    assert sent == (0 if atomic_requests else 1)
    assert len(mail.outbox) == 1
    assert code.balance() == 80


# Ordering a basket of the site's own


@pytest.fixture
def basket(learner, training):
    """Two courses for 20 and 30 credits."""
    other = make_training("Another", credits=30, credit_only=True)
    return make_basket(learner, (training.product, 1), (other.product, 1))


def test_a_basket_is_ordered_once(
    basket, learner, code, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        order = api.redeem(basket, code=TEXT, credits=50)

    assert api.redeem(Basket.objects.get(), code=code) == order
    assert api.redeem(basket) == order
    assert (order.user, order.total_incl_tax, order.num_lines) == (learner, 0, 2)
    assert code.balance() == 50
    assert len(mail.outbox) == 1
    assert api.has_access(learner, order.lines.first().product.training)
    assert list(api.audit()) == []


def test_several_codes_that_were_applied_before_pay_together(basket, learner):
    first, second = make_code(20, text=TEXT), make_code(30)
    code_on(basket, first)

    api.redeem(basket, code=second)

    assert first.balance() == second.balance() == 0


def test_several_places_are_handed_out(learner, training, code, settings):
    settings.TRAINING_CREDITS_MOST_PLACES = 5
    basket = make_basket(learner, (training.product, 3))

    order = api.redeem(basket, code=code)

    assert order.lines.get().training_places.count() == 3
    assert code.balance() == 40


def code_on(basket, code):
    AppliedCode.objects.create(basket=basket, code=code)


def holding(*lines):
    def make(learner):
        return make_basket(learner, *((make(), number) for make, number in lines))

    return make


def a_course():
    return make_training().product


def course_by_post():
    course = make_training("By post").product
    course.product_class.requires_shipping = True
    course.product_class.save()
    return course


def course_with_options():
    course = make_training("With options").product
    size = Option.objects.create(name="Size", code="size", required=True)
    course.product_options.add(size)
    return course


UNFIT = {
    "empty": (holding(), "The basket is empty."),
    "an ordinary product": (
        holding((a_course, 1), (make_product, 1)),
        "“A book” is not paid with credits.",
    ),
    "to be sent": (holding((course_by_post, 1)), "“By post” needs an address."),
    "options": (holding((course_with_options, 1)), "Choose its options"),
    "too many": (holding((a_course, 2)), "can't be ordered as it is"),
    "too dear": (holding((a_course, 1), (a_course, 1)), "A price or a code"),
    "too few credits": (
        holding((a_course, 1), (a_course, 1), (a_course, 1)),
        "10 credits too few",
    ),
    "a guest": (lambda learner: make_basket(None), "Log in or register"),
}


@pytest.mark.parametrize(("made", "said"), UNFIT.values(), ids=UNFIT)
def test_a_basket_that_credits_do_not_pay_whole_is_refused(
    learner, made, said, settings
):
    settings.TRAINING_CREDITS_MOST_PLACES = 1
    code = make_code(50)
    basket = made(learner)
    before = left_behind()

    with pytest.raises(PurchaseRefused, match=said):
        api.redeem(basket, code=code, credits=30)

    assert left_behind() == before
    assert code.balance() == 50
    assert Basket.objects.get().status == Basket.OPEN


def test_what_is_off_sale_is_refused(basket, code, training):
    type(training.product).objects.filter(pk=training.product_id).update(
        is_public=False
    )

    with pytest.raises(PurchaseRefused, match="“A course”: This can't be bought here"):
        api.redeem(Basket.objects.get(), code=code)


def test_what_the_learner_wants_to_pay_with_money_is_refused(basket, code):
    line = basket.all_lines()[0]
    MoneyChoice.objects.create(line=line)

    with pytest.raises(PurchaseRefused, match="is not paid with credits"):
        api.redeem(basket, code=code)


@pytest.mark.urlconf("tests.support.gateways")
def test_a_basket_that_is_being_paid_elsewhere_is_left_alone(
    learner, training, code, monkeypatch
):
    install(monkeypatch, Redirecting())
    shopper = Learner(learner)
    shopper.add(training.product)
    shopper.add(make_product(price="25.00"))
    shopper.apply(TEXT)
    shopper.place()

    with pytest.raises(PurchaseRefused, match="is being placed already"):
        api.redeem(Basket.objects.get(owner=learner))

    assert Redemption.objects.get().state == Redemption.State.HELD


def test_a_basket_and_its_order_are_undone_with_the_callers_transaction(
    learner, training, code, django_capture_on_commit_callbacks
):
    before = left_behind()

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        api.redeem(make_basket(learner, (training.product, 1)), code=code)
        transaction.set_rollback(True)

    assert left_behind() == before
    assert code.balance() == 100
    assert mail.outbox == []
