"""Numbers in the package's addresses that no row has."""

from __future__ import annotations

import pytest
from django.urls import URLPattern, reverse
from django.urls.converters import IntConverter

from oscar_training_credits import urls
from oscar_training_credits.rest import urls as rest_urls
from oscar_training_credits.test.factories import (
    make_basket,
    make_learner,
    make_training,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

LARGEST = 10**18 - 1
TOO_LARGE = ["9" * 19, "9" * 5000]
NUMBERS = pytest.mark.parametrize("number", TOO_LARGE, ids=["19 digits", "5000 digits"])


def ids_of(pattern: URLPattern) -> list[str]:
    """Return the names of the numbers that a pattern takes."""
    converters = pattern.pattern.converters.items()
    return [name for name, each in converters if isinstance(each, IntConverter)]


def numbered(module):
    patterns = [each for each in module.urlpatterns if ids_of(each)]
    params = [pytest.param(each, id=each.name) for each in patterns]
    return pytest.mark.parametrize("pattern", params)


def address_of(pattern, number=LARGEST, *, prefix="training_credits", **known):
    """Return an address with `number` for every number that is not known."""
    ids = {**dict.fromkeys(ids_of(pattern), LARGEST), **known}
    address = reverse(f"{prefix}:{pattern.name}", kwargs=ids)
    return address.replace(str(LARGEST), str(number))


@numbered(urls)
def test_a_number_that_no_row_has_is_no_error(pattern, client):
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    address = address_of(pattern)

    answers = {client.get(address).status_code, client.post(address).status_code}

    assert answers & {302, 404}
    assert answers <= {302, 404, 405}


@NUMBERS
@numbered(urls)
def test_a_number_that_no_row_can_have_is_not_found(pattern, number, client):
    assert client.post(address_of(pattern, number)).status_code == 404


@NUMBERS
def test_the_number_of_a_code_that_none_can_have_is_not_found(number, client):
    training = make_training(credits=20)
    [remove] = [each for each in urls.urlpatterns if each.name == "purchase-remove"]

    address = address_of(remove, number, training_id=training.pk)

    assert client.post(address).status_code == 404


@pytest.mark.urlconf("tests.api_urls")
@pytest.mark.parametrize("number", [LARGEST, *TOO_LARGE])
@numbered(rest_urls)
def test_the_api_finds_no_code_with_such_a_number(pattern, number, client):
    address = address_of(pattern, number, prefix="training_credits_api")

    assert client.delete(address).status_code == 404


def test_no_address_takes_a_number_of_any_size():
    patterns = [*urls.urlpatterns, *rest_urls.urlpatterns]

    assert [each for each in patterns if ids_of(each)]
    assert not [each for each in patterns if "<int:" in str(each.pattern)]


@NUMBERS
def test_a_delivery_that_none_can_be_is_not_tried(number, client, settings):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = "tests.support.enrolment.Backend"
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    address = reverse("training_credits:delivery-try-again")

    response = client.post(address, {"delivery": number})

    assert response.status_code == 302


@NUMBERS
def test_an_order_under_way_since_no_real_moment_is_waited_for(number, client):
    learner = make_learner()
    basket = make_basket(learner, (make_training(credits=20).product, 1))
    basket.freeze()
    client.force_login(learner)
    address = reverse("training_credits:under-way", args=[basket.pk])

    response = client.get(address, {"since": number})

    assert response.status_code == 200
