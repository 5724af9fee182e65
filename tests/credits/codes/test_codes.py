"""The text of a code: made, read in any spelling, and found without being kept."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_training_credits.credits.codes import applying, code_text
from oscar_training_credits.credits.codes.applying import read_code
from oscar_training_credits.credits.codes.issuing import (
    issue_code,
    issue_codes,
    set_state,
)
from oscar_training_credits.credits.codes.refusals import Reason, Refusal
from oscar_training_credits.credits.codes.rules import Purchase
from oscar_training_credits.credits.ledger.adjusting import close_code
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.exceptions import CreditCodeRefused
from oscar_training_credits.test.factories import make_code, make_issued

from ...support.frames import shown_by

LOOK_ALIKES = {"0": "0Oo", "1": "1IiLl"}
FULL_WIDTH = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
SEPARATORS = ["", "", "", " ", "-", "\t", "\n", "_", ".", "\N{EN DASH}", "\u00a0"]

texts = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
generated = st.text(
    code_text.ALPHABET, min_size=code_text.LENGTH - 1, max_size=code_text.LENGTH - 1
).map(lambda letters: code_text.grouped(letters + code_text.check_letter(letters)))


def respelled(text: str, chance: random.Random) -> str:
    """Return `text` as a hurried person might type or paste it."""
    letters = []
    for letter in code_text.canonical(text):
        letter = chance.choice(LOOK_ALIKES.get(letter, letter))
        letter = chance.choice([letter.lower(), letter.upper()])
        letter = chance.choice([letter, letter, FULL_WIDTH[letter]])
        letters.append(letter + chance.choice(SEPARATORS))
    return "".join(letters)


def with_letter(text: str, place: int, letter: str) -> str:
    letters = code_text.canonical(text)
    return letters[:place] + letter + letters[place + 1 :]


def with_swap(text: str, place: int) -> str:
    letters = list(code_text.canonical(text))
    letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ACME-TEAM-2026", id="as given"),
        pytest.param("acme-team-2026", id="lower case"),
        pytest.param("AcMeTeAm2026", id="mixed case, no dashes"),
        pytest.param("ACME TEAM 2026", id="spaces"),
        pytest.param("  ACME-TEAM-2026\n", id="spaces around"),
        pytest.param("ACME\tTEAM\t2026", id="tabs of a spreadsheet"),
        pytest.param("ACME\u00a0TEAM\u00a02026", id="spaces that don't break"),
        pytest.param("ACME\N{EN DASH}TEAM\N{EM DASH}2026", id="a mail's long dashes"),
        pytest.param("ACME_TEAM.2026", id="other separators"),
        pytest.param("ACME-TEAM-2O26", id="a letter O for the zero"),
        pytest.param("acme-team-2o26", id="a small letter o for the zero"),
        pytest.param("ＡＣＭＥ－ＴＥＡＭ－２０２６", id="full width"),  # noqa: RUF001
        pytest.param("\ufeffACME\u200b-TEAM-2026", id="invisible letters"),
    ],
)
def test_a_code_is_read_in_any_spelling(text):
    assert code_text.canonical(text) == "ACMETEAM2026"


@pytest.mark.parametrize("one", list("1IiLl"))
def test_one_and_its_look_alikes_are_the_same(one):
    assert code_text.canonical(f"B{one}G") == "B1G"


@pytest.mark.parametrize("text", ["", " ", "\t\n", "- - -", "—…!?*", "\u200b"])
def test_a_text_without_letters_and_digits_has_no_canonical_form(text):
    assert code_text.canonical(text) == ""


def test_different_codes_stay_different():
    texts = ["ACME-1", "ACME-2", "ACME", "ACME-11", "1-ACME", "ÄCME-1", "АСМЕ-1"]  # noqa: RUF001

    assert len({code_text.canonical(text) for text in texts}) == len(texts)


@given(texts, st.randoms(use_true_random=False))
def test_all_spellings_share_one_canonical_form(text, chance):
    letters = code_text.canonical(text)

    assert code_text.canonical(respelled(text, chance)) == letters
    assert code_text.canonical(letters) == letters


@given(st.text())
def test_any_text_can_be_read(text):
    assert code_text.canonical(text).isalnum() or code_text.canonical(text) == ""
    assert code_text.is_mistyped(text) in (True, False)


def test_a_generated_code_has_four_letters_in_each_of_five_groups():
    groups = code_text.generate().split("-")

    assert [len(group) for group in groups] == [4, 4, 4, 4, 4]
    assert set("".join(groups)) <= set(code_text.ALPHABET)


def test_the_alphabet_has_no_look_alikes():
    assert len(set(code_text.ALPHABET)) == 32
    assert not set(code_text.ALPHABET) & set("ILOU")


def test_ten_thousand_generated_codes_differ_and_have_right_check_letters():
    made = {code_text.generate() for _ in range(10_000)}

    assert len(made) == 10_000
    assert not any(map(code_text.is_mistyped, made))
    assert all(code_text.canonical(text) == text.replace("-", "") for text in made)


def test_every_letter_is_drawn_about_equally_often():
    drawn = "".join(code_text.generate().replace("-", "")[:-1] for _ in range(4_000))

    counts = [drawn.count(letter) for letter in code_text.ALPHABET]

    # 76,000 letters: 2,375 of each, give or take ten standard deviations.
    assert all(1_900 < count < 2_850 for count in counts)


def test_the_check_letter_is_the_same_in_every_version():
    """Codes on paper must not become typing slips by an upgrade."""
    assert code_text.check_letter("0123456789ABCDEFGHJ") == "S"
    assert not code_text.is_mistyped("0123-4567-89AB-CDEF-GHJS")


@given(
    generated,
    st.integers(0, code_text.LENGTH - 1),
    st.sampled_from(code_text.ALPHABET),
)
def test_every_single_wrong_letter_is_noticed(text, place, letter):
    typed = with_letter(text, place, letter)

    assert code_text.is_mistyped(typed) is (typed != code_text.canonical(text))


@given(generated, st.integers(0, code_text.LENGTH - 2))
def test_every_swap_of_neighbours_is_noticed_but_that_of_0_and_z(text, place):
    typed = with_swap(text, place)
    pair = set(typed[place : place + 2])

    harmless = len(pair) == 1
    assert code_text.is_mistyped(typed) is not (harmless or pair == {"0", "Z"})


def test_each_pair_of_neighbours_but_one_is_told_from_its_swap():
    missed = {
        frozenset((first, second))
        for first in code_text.ALPHABET
        for second in code_text.ALPHABET
        if first != second
        and code_text.check_letter(first + second)
        == code_text.check_letter(second + first)
    }

    assert missed == {frozenset("0Z")}


@given(generated, st.randoms(use_true_random=False))
def test_a_spelling_is_no_typing_slip(text, chance):
    assert not code_text.is_mistyped(respelled(text, chance))


@pytest.mark.parametrize(
    "text",
    ["", "ACME-TEAM-2026", "A" * 19, "A" * 21, "SUMMERACADEMYCOURSES"],
    ids=["nothing", "chosen", "one letter short", "one too many", "chosen, of twenty"],
)
def test_a_text_that_was_not_generated_is_never_called_mistyped(text):
    assert not code_text.is_mistyped(text)


@given(generated)
def test_the_digest_never_contains_the_text(text):
    digest = code_text.digest(text, key="a key").upper()

    assert code_text.canonical(text) not in digest
    assert len(digest) == 64


def test_the_digest_is_the_same_in_every_version():
    """Codes in the database must still be found after an upgrade."""
    assert code_text.digest("acme-team-2026", key="a key") == (
        "db8feb99142064f6a3168638625a8f17555cfbd9f564757623c3220d598a7487"
    )


@given(texts.filter(code_text.canonical), st.randoms(use_true_random=False))
def test_all_spellings_share_one_digest_under_one_key(text, chance):
    spelling = respelled(text, chance)

    assert code_text.digest(spelling, key="a") == code_text.digest(text, key="a")
    assert code_text.digest(spelling, key="b") != code_text.digest(text, key="a")


@pytest.mark.django_db
def test_a_code_is_found_in_any_spelling():
    code = make_code(text="ACME-TEAM-2026")

    assert code_text.find("acme team 2o26") == code
    assert code_text.find("ACME-TEAM-2027") is None


@pytest.mark.django_db
def test_a_generated_code_is_found_in_any_spelling():
    issued = make_issued()

    for seed in range(20):
        typed = respelled(issued.text, random.Random(seed))
        assert code_text.find(typed) == issued.code


@pytest.mark.django_db
@pytest.mark.parametrize("state", CreditCode.State.values)
def test_a_code_is_found_in_any_state(state):
    issued = make_issued()

    if state == CreditCode.State.CLOSED:
        close_code(issued.code)
    else:
        set_state(issued.code, state)

    assert code_text.find(issued.text) == issued.code


@pytest.mark.django_db
def test_a_code_is_found_under_the_keys_listed_after_the_current_one(settings):
    settings.TRAINING_CREDITS_CODE_KEYS = ["first"]
    issued = make_issued()

    settings.TRAINING_CREDITS_CODE_KEYS = ["third", "second", "first"]
    assert code_text.find(issued.text) == issued.code

    settings.TRAINING_CREDITS_CODE_KEYS = ["third", "second"]
    assert code_text.find(issued.text) is None


@pytest.mark.django_db
def test_new_codes_are_kept_under_the_first_key(settings):
    settings.TRAINING_CREDITS_CODE_KEYS = ["second", "first"]

    issued = make_issued()

    assert issued.code.digest == code_text.digest(issued.text, key="second")


@pytest.mark.django_db
def test_codes_survive_a_change_of_the_secret_key_with_its_fallback(settings):
    issued = make_issued()

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret"
    assert code_text.find(issued.text) == issued.code

    settings.SECRET_KEY_FALLBACKS = []
    assert code_text.find(issued.text) is None


@pytest.mark.django_db
def test_the_fallbacks_of_the_secret_key_may_be_a_tuple(settings):
    issued = make_issued()

    settings.SECRET_KEY_FALLBACKS = ("an older one",)

    assert code_text.find(issued.text) == issued.code


@pytest.mark.django_db
def test_a_code_keeps_its_own_keys_when_the_secret_key_changes(settings):
    settings.TRAINING_CREDITS_CODE_KEYS = ["for codes only"]
    issued = make_issued()

    settings.SECRET_KEY = "another secret"

    assert code_text.find(issued.text) == issued.code


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", Reason.BLANK, id="nothing"),
        pytest.param(" - \t", Reason.BLANK, id="separators only"),
        pytest.param("A" * 129, Reason.TOO_LONG, id="too much"),
        pytest.param(" " * 129, Reason.TOO_LONG, id="too many blanks"),
        pytest.param("A" * 128, Reason.UNKNOWN, id="as much as may be"),
        pytest.param("ACME", Reason.UNKNOWN, id="no such code"),
        pytest.param("0" * 19 + "1", Reason.MISTYPED, id="a wrong check letter"),
    ],
)
def test_what_was_typed_is_refused_with_its_reason(text, reason):
    with pytest.raises(CreditCodeRefused) as refused:
        read_code(text, purchase=Purchase(), requester=None)

    assert refused.value.refusal.reason is reason


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    ["A" * 129, "   ", "- -", "A", "ACME-26", "A-C-M-E 2-6", "-------- ACME"],
)
def test_no_code_is_issued_whose_text_nobody_could_enter_or_anybody_guess(text):
    with pytest.raises(ValueError, match="8 letters or digits at least, and 128"):
        issue_code(label="ACME", credits=1, text=text)

    assert not CreditCode.objects.exists()


@pytest.mark.django_db
def test_the_shortest_text_can_be_entered():
    code = make_code(text="ACME-2026")

    assert read_code("acme 2o26", purchase=Purchase(), requester=None) == code


@pytest.mark.django_db
def test_a_generator_of_short_texts_issues_nothing(settings):
    settings.TRAINING_CREDITS_CODE_GENERATOR = f"{__name__}.short_code"

    with pytest.raises(ValueError, match="8 letters"):
        list(issue_codes(1, label="ACME", credits=5))

    assert not CreditCode.objects.exists()


def short_code() -> str:
    return "ACME-26"


@pytest.mark.django_db
def test_the_longest_text_can_be_entered():
    code = make_code(text="A" * code_text.LONGEST_TEXT)

    longest = "a" * code_text.LONGEST_TEXT
    assert read_code(longest, purchase=Purchase(), requester=None) == code


@pytest.mark.django_db
def test_a_site_can_make_its_own_texts(settings):
    settings.TRAINING_CREDITS_CODE_GENERATOR = f"{__name__}.team_code"

    issued = make_issued()

    assert issued.text == "TEAM-0042"
    assert code_text.find("team oo42") == issued.code


def team_code() -> str:
    return "TEAM-0042"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "ending"),
    [
        pytest.param("ACME-TEAM-2026", "2026", id="the last four"),
        pytest.param("acme-team-2o2-b", "2O2B", id="in capitals, without dashes"),
        pytest.param("Große-Straße", "ASSE", id="four, however long its capitals"),
        pytest.param("ACME26", "E26", id="half of a short one"),
        pytest.param("FREE", "EE", id="never all"),
        pytest.param("A", "", id="nothing of one letter"),
    ],
)
def test_the_ending_tells_codes_apart_and_never_gives_one_away(text, ending):
    assert code_text.last_four(text) == ending


def secret_code() -> str:
    return "SECRET-CODE-77"


# Each by itself, as a site may call it from a function that hides nothing.
GIVEN_A_TEXT = {
    "canonical": lambda typed: code_text.canonical(typed),
    "ending": lambda typed: code_text.last_four(typed),
    "digest": lambda typed: code_text.digest(typed, key="a key"),
    "digests": lambda typed: code_text.digests(typed),
    "find": lambda typed: code_text.find(typed),
    "is_mistyped": lambda typed: code_text.is_mistyped(typed),
    "unreadable": lambda typed: applying.unreadable(typed),
    "unknown": lambda typed: applying.unknown(typed),
    "is_mistyped_miss": lambda typed: applying.is_mistyped_miss(
        Refusal(Reason.NOT_FOR_YOU), typed
    ),
    "read_code": lambda typed: applying.read_code(
        typed, purchase=Purchase(), requester=None
    ),
    "apply_code": lambda typed: applying.apply_code(
        typed, basket=None, items=(), requester=None
    ),
    "issue_codes": lambda _typed: list(issue_codes(1, label="ACME", credits=5)),
    "issue_code": lambda typed: issue_code(label="ACME", credits=5, text=typed),
}


@pytest.mark.django_db
@pytest.mark.parametrize("call", GIVEN_A_TEXT.values(), ids=GIVEN_A_TEXT)
def test_an_error_anywhere_would_report_no_text(call, settings):
    settings.TRAINING_CREDITS_CODE_GENERATOR = (
        "tests.credits.codes.test_codes.secret_code"
    )

    def typed():
        with suppress(CreditCodeRefused):
            call(secret_code())

    assert not shown_by(typed, lambda said: "SECRETC0DE77" in code_text.canonical(said))
