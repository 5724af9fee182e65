"""Forms of the dashboard's pages of credit codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import transaction
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables
from oscar.core.loading import get_model

from ....converters import number_in
from ....credits import email_domain, wording
from ....credits.codes import (
    code_text,
    deriving,
    finding,
    issuing,
    jobs,
    listing,
    managing,
)
from ....credits.codes.fields import (
    KeyField,
    LastDayField,
    ManagersField,
    NewTextField,
    day_field,
    near,
    not_over,
)
from ....credits.codes.finding import Condition
from ....credits.codes.history import LONGEST_NOTE, missing_note
from ....credits.ledger import cutting
from ....credits.models import CodeChange, CodeJob, CreditCode, CreditGrant
from ....credits.models.codes import CreditCodeQuerySet
from ....credits.terms import (
    MOST_GRANTED,
    Paid,
    end_of,
    start_of,
)
from ...communication import invitations
from ..fields import day_of, learner_with
from ..widgets import PlainSelect
from . import sheets

DAYS = (7, 30, 90, 365)
EVERY = ("", gettext_lazy("All"))


def ranges() -> Any:
    return get_model("offer", "Range")._default_manager.order_by("name")


class CodeSearchForm(forms.Form):
    q = forms.CharField(
        label=gettext_lazy("Search"),
        required=False,
        strip=True,
        max_length=200,
        help_text=gettext_lazy(
            "A code, its last characters, label, reference or holder, an order's"
            " number, a learner's whole e-mail address."
        ),
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[EVERY, *Condition.choices],
        required=False,
        widget=PlainSelect,
    )
    expiring = forms.TypedChoiceField(
        label=gettext_lazy("Ends within"),
        choices=[EVERY],
        coerce=int,
        required=False,
        widget=PlainSelect,
    )
    under = forms.IntegerField(
        label=gettext_lazy("Fewer credits than"),
        required=False,
        min_value=1,
        max_value=MOST_GRANTED,
    )
    content: Any = forms.ModelChoiceField(
        label=gettext_lazy("Only for"),
        queryset=None,
        required=False,
        widget=PlainSelect,
        empty_label=EVERY[1],
    )
    holder = forms.CharField(
        label=gettext_lazy("Holder"), required=False, strip=True, max_length=200
    )
    child_of = forms.CharField(
        label=gettext_lazy("Child of"),
        required=False,
        strip=True,
        max_length=200,
        help_text=gettext_lazy("The label of the parent, or its last characters."),
    )
    test = forms.ChoiceField(
        label=gettext_lazy("Test codes"),
        choices=[
            EVERY,
            ("no", gettext_lazy("Without test codes")),
            ("only", gettext_lazy("Only test codes")),
        ],
        required=False,
        widget=PlainSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        expiring: Any = self.fields["expiring"]
        in_days = _("%(number)d days")
        expiring.choices = [EVERY] + [(n, in_days % {"number": n}) for n in DAYS]
        content: Any = self.fields["content"]
        content.queryset = ranges()

    @property
    def is_filtered(self) -> bool:
        """Tell whether more is asked for than a text."""
        return any(self.data.get(name) for name in self.fields if name != "q")

    @cached_property
    def elsewhere(self) -> list[int]:
        """The keys of codes that orders and learners lead to, asked for once."""
        return finding.keys_elsewhere(self.cleaned_data["q"].removeprefix("#"))

    @cached_property
    @sensitive_variables()
    def is_code(self) -> bool:
        """The search is, or looks like, a whole code; asked for once."""
        text = self.cleaned_data["q"].removeprefix("#")
        return code_text.looks_generated(text) or code_text.find(text) is not None

    def asks(self) -> bool:
        """Tell whether it narrows the list at all."""
        return any(self.cleaned_data.values())

    @sensitive_variables()
    def filtered(self, codes: CreditCodeQuerySet) -> CreditCodeQuerySet:
        asked, now = self.cleaned_data, timezone.now()
        if text := asked["q"].removeprefix("#"):
            # A whole code must not be in an address: there it finds nothing.
            if self.is_code:
                return codes.none()
            codes = finding.matching(codes, text, self.elsewhere)
        if asked["expiring"]:
            codes = finding.expiring(codes, asked["expiring"], now)
        if asked["content"]:
            codes = codes.filter(content=asked["content"])
        if asked["holder"]:
            codes = listing.held_by(codes, asked["holder"])
        if asked["child_of"]:
            codes = children_of(codes, asked["child_of"])
        if asked["test"]:
            codes = codes.filter(is_test=asked["test"] == "only")
        # Last, as what they ask costs more: of as few codes as there are by then.
        if asked["under"]:
            codes = listing.holding_less(codes, asked["under"], now)
        if asked["state"]:
            codes = finding.in_condition(codes, asked["state"], now)
        return codes


@sensitive_variables()
def children_of(codes: CreditCodeQuerySet, text: str) -> CreditCodeQuerySet:
    """Return the child codes of what `text` means: “#” and a number, or a search."""
    if text.startswith("#"):
        return codes.filter(parent=number_in(text[1:]) or 0)
    if code_text.looks_generated(text) or code_text.find(text):
        return codes.none()
    parents = listing.matching(CreditCode.objects.all(), text)
    return codes.filter(parent__in=parents.order_by().values("pk"))


def credits_field(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=1,
        validators=[MaxValueValidator(MOST_GRANTED)],
        **{"label": gettext_lazy("Credits"), **options},
    )


class PaidField(forms.DecimalField):
    """What credits are sold for, in the shop's currency; cleaned to `Paid` or None."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            min_value=0,
            max_digits=12,
            decimal_places=2,
            required=False,
            **{
                "label": gettext_lazy("Sold for"),
                "help_text": gettext_lazy(
                    "What the customer pays for all of them, without tax. Leave it"
                    " empty if you do not know, or if they are a present."
                ),
                **options,
            },
        )

    def get_bound_field(self, form: Any, field_name: str) -> Any:
        bound = super().get_bound_field(form, field_name)
        text = _("%(label)s (%(currency)s)")
        bound.label = text % {
            "label": bound.label,
            "currency": settings.OSCAR_DEFAULT_CURRENCY,
        }
        return bound

    def clean(self, value: Any) -> Any:
        amount = super().clean(value)
        if amount is None:
            return None
        return Paid(amount, settings.OSCAR_DEFAULT_CURRENCY)


class AddressesField(forms.CharField):
    """Learners by their e-mail addresses, one on each line."""

    widget = forms.Textarea(attrs={"rows": 3, "autocomplete": "off"})

    def clean(self, value: Any) -> Any:
        addresses = [each.strip() for each in super().clean(value).splitlines()]
        found = [learner_with(each) for each in addresses if each]
        return list(dict.fromkeys(found))


class CodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """What staff set on a code, new or not."""

    first_day = day_field(label=gettext_lazy("First day"))
    last_day = day_field(label=gettext_lazy("Last day"))
    learners = AddressesField(
        label=gettext_lazy("Only for these learners"),
        required=False,
        help_text=gettext_lazy("Their e-mail addresses, one on each line."),
    )

    field_order: Sequence[str] = ("label", "reference", "holder")

    class Meta:
        model = CreditCode
        fields = [
            "label",
            "reference",
            "holder",
            "ends_access",
            "content",
            "groups",
            "email_domains",
            "include_subdomains",
            "named_only",
            "credits_per_learner",
            "redemptions_per_learner",
            "one_order_only",
            "notes",
        ]
        widgets = {
            "content": PlainSelect,
            "email_domains": forms.Textarea(attrs={"rows": 2}),
            "notes": forms.Textarea(attrs={"rows": 3}),
            "groups": forms.CheckboxSelectMultiple,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        content: Any = self.fields["content"]
        content.queryset = ranges()
        content.empty_label = _("Everything that takes credits")
        self.fields["groups"].help_text = ""
        if not self.fields["groups"].queryset.exists():  # type: ignore[attr-defined]
            del self.fields["groups"]

    def clean_first_day(self) -> date | None:
        return near(self.cleaned_data["first_day"])

    def clean_email_domains(self) -> str:
        domains = email_domain.listed(self.cleaned_data["email_domains"])
        return "\n".join(email_domain.tidied(domains))

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and first > last:
            self.add_error("last_day", _("It must end after it starts."))
        if cleaned.get("ends_access") and not last and "last_day" not in self.errors:
            text = _("Say until when the code is usable: access is to end then.")
            self.add_error("last_day", text)
        return cleaned

    def sections(self) -> list[tuple[Any, list[Any]]]:
        """Return the fields to be drawn, under their headings."""
        return [
            (heading, [self[name] for name in names if name in self.fields])
            for heading, names in self.SECTIONS
        ]

    SECTIONS: Any = [
        (
            "",
            [
                *("number", "label", "text", "credits", "origin", "paid"),
                *("reference", "holder", "managers"),
            ],
        ),
        (gettext_lazy("When"), ["first_day", "last_day", "ends_access"]),
        (gettext_lazy("For what"), ["content"]),
        (
            gettext_lazy("For whom"),
            ["learners", "groups", "email_domains", "include_subdomains", "named_only"],
        ),
        (
            gettext_lazy("How much"),
            ["credits_per_learner", "redemptions_per_learner", "one_order_only"],
        ),
        (gettext_lazy("For staff"), ["notes", "is_test"]),
    ]


def settings_of(code: CreditCode) -> dict[str, Any]:
    """Return what a form of another code begins with, to be like this one."""
    names = [name for name in CodeForm.Meta.fields if name != "groups"]
    field = get_user_model().get_email_field_name()
    addresses = code.learners.order_by("pk").values_list(field, flat=True)
    return {
        **{name: getattr(code, name) for name in names},
        "content": code.content_id,
        "is_test": code.is_test,
        "groups": list(code.groups.values_list("pk", flat=True)),
        "managers": "\n".join(managing.addresses_of(code)),
        "learners": "\n".join(addresses),
        "first_day": day_of(code.starts_at),
        "last_day": day_of(code.expires_at, is_end=True),
    }


class FirstCreditsForm(CodeForm):
    """What is set on new codes, one or many, with their first credits."""

    last_day = LastDayField(label=gettext_lazy("Last day"), required=False)
    credits = credits_field()
    origin = forms.ChoiceField(
        label=gettext_lazy("Origin of the credits"),
        choices=CreditGrant.Origin.choices,
        widget=PlainSelect,
    )
    paid = PaidField()
    is_test = forms.BooleanField(
        label=gettext_lazy("Test code"),
        required=False,
        help_text=CreditCode._meta.get_field("is_test").help_text,
    )
    key = KeyField()

    def terms(self) -> dict[str, Any]:
        """Return what was asked for, as `issue_code` and `issue_codes` take it."""
        names = [
            *CodeForm.Meta.fields,
            "learners",
            "credits",
            "origin",
            "paid",
            "is_test",
        ]
        asked = {name: self.cleaned_data[name] for name in names if name in self.fields}
        first, last = self.cleaned_data["first_day"], self.cleaned_data["last_day"]
        asked["email_domains"] = email_domain.listed(asked["email_domains"])
        return {
            **asked,
            "starts_at": start_of(first) if first else None,
            "expires_at": end_of(last) if last else None,
        }

    @property
    def idempotency_key(self) -> str:
        return f"dashboard:{self.cleaned_data['key'].hex}"


class NewCodeForm(FirstCreditsForm):
    """Issues a code with its first credits.

    The text that is generated lies in the form already: so a second click sends the
    same one, and is shown the first code.
    """

    text = NewTextField()
    managers = ManagersField()
    generated = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["generated"].initial = issuing.new_text

    @sensitive_variables("text")
    def issue(self, *, by: Any) -> issuing.IssuedCode:
        text = self.cleaned_data["text"] or self.cleaned_data["generated"]
        key, terms = self.idempotency_key, self.terms()
        managers = self.cleaned_data["managers"]
        # No decorator: its frame would show the text in an error report.
        with transaction.atomic():
            # A second click does not undo what was changed since the first.
            is_new = not issuing.issued_before(key, text=text, credits=terms["credits"])
            issued = issuing.issue_code(**terms, text=text, by=by, idempotency_key=key)
            if is_new and managers:
                invitations.set_managers(issued.code, managers, by=by)
        return issued


class CutForm(NewCodeForm):
    """Moves credits to a new child code. What is left empty is as the parent's."""

    field_order = ("label", "credits")

    def __init__(self, *args: Any, parent: CreditCode, **kwargs: Any) -> None:
        kwargs["initial"] = {"reference": parent.reference, "holder": parent.holder}
        super().__init__(*args, **kwargs)
        self.parent = parent
        for name in ("origin", "paid", "is_test"):
            del self.fields[name]
        if parent.content_id:
            del self.fields["content"]
        if parent.ends_access:
            del self.fields["ends_access"]
        self.fields["credits"].help_text = _(
            "They are taken from the parent; those that expire soonest first."
        )
        self.fields["last_day"].help_text = _(
            "Not after the credits that are moved end. What is unused then goes back."
        )
        self.fields["learners"].help_text = _(
            "Their e-mail addresses, one on each line. Name nobody at all, and it is"
            " for whom its parent is for."
        )
        for cap in ("credits_per_learner", "redemptions_per_learner"):
            most = getattr(parent, cap)
            self.fields[cap].help_text = (
                _("Leave it empty for %(most)d, as its parent has.") % {"most": most}
                if most
                else _("Leave it empty for no cap.")
            )

    @sensitive_variables("text")
    def issue(self, *, by: Any) -> issuing.IssuedCode:
        text = self.cleaned_data["text"] or self.cleaned_data["generated"]
        # What is left empty is as the parent's.
        terms = {name: value for name, value in self.terms().items() if value}
        credits, managers = terms.pop("credits"), self.cleaned_data["managers"]
        key = self.idempotency_key
        # No decorator: its frame would show the text in an error report.
        with transaction.atomic():
            is_new = not issuing.issued_before(key, text=text, credits=credits)
            issued = cutting.cut_code(
                self.parent,
                credits,
                text=text,
                record={"by": by, "idempotency_key": key},
                **terms,
            )
            if is_new and managers:
                invitations.set_managers(issued.code, managers, by=by)
        return issued


class ManyCodesForm(FirstCreditsForm):
    """Plans to issue many codes that are alike."""

    number = forms.IntegerField(
        label=gettext_lazy("How many codes"),
        min_value=1,
        max_value=jobs.MOST_CODES,
    )
    paid = PaidField(
        label=gettext_lazy("Each code is sold for"),
        help_text=gettext_lazy(
            "What the customer pays for the credits on one code, without tax. Leave"
            " it empty if you do not know, or if they are a present."
        ),
    )

    def clean(self) -> Any:
        if not deriving.can_derive():
            text = _(
                "This site makes the texts of codes in a way of its own, which can't"
                " be repeated for a file. Ask its developer."
            )
            raise ValidationError(text)
        return super().clean()

    def plan(self, *, by: Any) -> CodeJob:
        return jobs.plan_issue(
            self.cleaned_data["number"],
            key=self.idempotency_key,
            by=by,
            **self.terms(),
        )


class EditForm(CodeForm):
    """Changes a code. Days that are not touched keep their hour."""

    managers = ManagersField()

    def __init__(self, *args: Any, instance: CreditCode, **kwargs: Any) -> None:
        kwargs["initial"] = settings_of(instance)
        super().__init__(*args, instance=instance, **kwargs)

    def clean_last_day(self) -> date | None:
        day = self.cleaned_data["last_day"]
        return not_over(day) if "last_day" in self.changed_data else day

    def values(self) -> dict[str, Any]:
        """Return what was changed, by the name of the code's field."""
        asked = self.cleaned_data
        changed = {name: asked[name] for name in self.changed_data}
        first, last = changed.pop("first_day", ...), changed.pop("last_day", ...)
        if first is not ...:
            changed["starts_at"] = start_of(first) if first else None
        if last is not ...:
            changed["expires_at"] = end_of(last) if last else None
        return changed


def note_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=LONGEST_NOTE,
        help_text=gettext_lazy("Kept on record, for staff."),
    )


class ReasonForm(forms.Form):
    """Why a code is changed: a reason from the list, and a note."""

    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        choices=[("", gettext_lazy("Choose one")), *CodeChange.Reason.choices],
        widget=PlainSelect,
    )
    note = note_field()

    field_order: Sequence[str] = ()

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        text = missing_note(cleaned.get("reason"), cleaned.get("note", ""))
        if text and "note" not in self.errors:
            self.add_error("note", text)
        return cleaned

    def record(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("reason", "note")}


class KeyForm(forms.Form):
    """What a second click must not do again."""

    key = KeyField()

    @property
    def idempotency_key(self) -> str:
        return f"dashboard:{self.cleaned_data['key'].hex}"


class ImportForm(KeyForm):
    """Takes a file with codes that were issued elsewhere."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV in UTF-8 or UTF-16, or XLSX."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.xlsx"}),
    )

    def plan(self, *, by: Any) -> CodeJob:
        file = self.cleaned_data["file"]
        return jobs.plan_import(
            sheets.rows_in(file),
            key=self.idempotency_key,
            name=file.name,
            currency=settings.OSCAR_DEFAULT_CURRENCY,
            by=by,
        )


class TopUpForm(KeyForm):
    credits = credits_field()
    origin = forms.ChoiceField(
        label=gettext_lazy("Origin"),
        choices=CreditGrant.Origin.choices,
        widget=PlainSelect,
    )
    paid = PaidField()
    last_day = LastDayField(
        required=False,
        label=gettext_lazy("Last day of these credits"),
        help_text=gettext_lazy("Leave it empty, and they last as long as the code."),
    )
    note = note_field()


class AdjustForm(KeyForm, ReasonForm):
    direction = forms.ChoiceField(
        label=gettext_lazy("What to do"),
        choices=[
            ("take", gettext_lazy("Take credits away")),
            ("add", gettext_lazy("Add credits")),
        ],
        widget=forms.RadioSelect,
    )
    credits = credits_field()
    grant: Any = forms.ModelChoiceField(
        label=gettext_lazy("Take them from"),
        queryset=None,
        required=False,
        widget=PlainSelect,
        empty_label=gettext_lazy("What expires soonest"),
    )
    last_day = LastDayField(
        required=False,
        label=gettext_lazy("Last day of added credits"),
        help_text=gettext_lazy("Leave it empty, and they last as long as the code."),
    )

    field_order = ("direction", "credits", "grant", "last_day", "reason", "note")

    def __init__(self, *args: Any, code: CreditCode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        grants: Any = self.fields["grant"]
        unexpired = code.grants.unexpired(timezone.now())
        grants.queryset = unexpired.filter(remaining__gt=0).order_by("pk")
        grants.label_from_instance = grant_in_words

    @property
    def signed(self) -> int:
        credits: int = self.cleaned_data["credits"]
        return credits if self.cleaned_data["direction"] == "add" else -credits


def grant_in_words(grant: CreditGrant) -> str:
    values = {
        "left": grant.remaining,
        "credits": grant.credits,
        "day": wording.day_of(grant.created_at),
    }
    if not grant.expires_at:
        return _("%(left)d left of %(credits)d from %(day)s") % values
    values["end"] = wording.end_in_words(grant.expires_at)
    return _("%(left)d left of %(credits)d from %(day)s, until %(end)s") % values


class ExtensionForm(KeyForm, ReasonForm):
    """A later end, of codes and, by choice, of what ends with them."""

    last_day = LastDayField(label=gettext_lazy("New last day"))
    with_credits = forms.BooleanField(
        label=gettext_lazy(
            "Also the credits left on it that end before, or have expired"
        ),
        required=False,
        initial=True,
    )
    with_access = forms.BooleanField(
        label=gettext_lazy("Also the access that ends with the code"),
        required=False,
    )

    field_order = ("last_day", "with_credits", "with_access", "reason", "note")


class ExtendForm(ExtensionForm):
    def __init__(self, *args: Any, code: CreditCode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.code = code
        if not code.ends_access:
            del self.fields["with_access"]

    def clean_last_day(self) -> date | None:
        day, ends = self.cleaned_data["last_day"], self.code.expires_at
        if day and ends and end_of(day) < ends:
            text = _("It lasts until %(end)s already. Choose a later day.")
            raise ValidationError(text % {"end": wording.end_in_words(ends)})
        return day


class TakeBackForm(KeyForm, ReasonForm):
    credits = credits_field(
        required=False,
        help_text=gettext_lazy("Leave it empty to take back all that is unused."),
    )

    field_order = ("credits", "reason", "note")


class CloseForm(ReasonForm):
    take_back = forms.BooleanField(
        label=gettext_lazy("Take back what its child codes have not used: it lapses"),
        required=False,
        help_text=gettext_lazy("Otherwise they keep it, and live on."),
    )

    field_order = ("take_back", "reason", "note")

    def __init__(self, *args: Any, code: CreditCode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not code.children.exists():
            del self.fields["take_back"]


class RotateForm(KeyForm, ReasonForm):
    text = NewTextField(label=gettext_lazy("New text"))
    generated = forms.CharField(widget=forms.HiddenInput)

    field_order = ("text", "reason", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["generated"].initial = issuing.new_text


class BulkExtendForm(ExtensionForm):
    """A later end for several codes at once."""

    def terms(self) -> dict[str, Any]:
        """Return what was asked for, as `extend_codes` takes it."""
        asked = self.cleaned_data
        return {
            "until": end_of(asked["last_day"]),
            "with_credits": asked["with_credits"],
            "with_access": asked["with_access"],
        }


class BulkForm(ReasonForm):
    """What is done to several codes at once."""

    state = forms.ChoiceField(
        choices=[(state, state) for state in issuing.KINDS], widget=forms.HiddenInput
    )
