"""Oscar's dashboard: what staff change about codes, each on a page that asks."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import FormView, View

from ....aliases import Request
from ....converters import number_in
from ....credits import wording
from ....credits.codes import issuing, new_text, noticing
from ....credits.ledger import adjusting, cutting, extending
from ....credits.ledger.extending import Extension, ExtensionObstacle
from ....credits.models import CreditCode
from ....credits.terms import end_of
from ....exceptions import (
    CodeClosed,
    CodeTaken,
    IdempotencyKeyReused,
    NotCut,
    NotEnoughCredits,
    WiderThanParent,
)
from ...communication import invitations
from ...communication.choices import NoticesForm
from ...order import purging
from .base import LIST, CodesMixin, used_before
from .forms import (
    AdjustForm,
    BulkExtendForm,
    BulkForm,
    CloseForm,
    CutForm,
    EditForm,
    ExtendForm,
    ReasonForm,
    RotateForm,
    TakeBackForm,
    TopUpForm,
)

State = CreditCode.State
MOST_AT_ONCE = 1_000
"""How many codes are disabled or enabled at once, at most: all or none."""


class ChangeCodeView(CodesMixin, FormView):  # type: ignore[type-arg]
    """Changes one code, with a reason, and leads back to its page."""

    request: Request
    template_name = "training_credits/dashboard_code_form.html"
    name: str
    """What its address ends with."""
    menu: Any
    """What leads to it on the page of the code."""
    heading: Any
    button: Any
    done: Any
    is_dangerous = False

    @classmethod
    def suits(cls, code: CreditCode) -> bool:
        """Tell whether it makes sense for a code in this state."""
        return code.state != State.CLOSED

    @cached_property
    def code(self) -> CreditCode:
        codes = CreditCode.objects.select_related("content")
        return get_object_or_404(codes, pk=self.kwargs["pk"])

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.suits(self.code):
            return self.leave()
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            code=self.code,
            view_name=self.name,
            heading=self.heading,
            button=self.button,
            is_dangerous=self.is_dangerous,
            consequences=self.consequences(),
            **kwargs,
        )

    def consequences(self) -> list[str]:
        """Return what to know before it is done."""
        return []

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response = self.act(form)
        except CodeClosed:
            return self.leave()
        except IdempotencyKeyReused:
            form.add_error(None, used_before())
            return self.form_invalid(form)
        if form.is_valid():
            return response or self.back(str(self.done))
        return self.form_invalid(form)

    def act(self, form: Any) -> HttpResponse | None:
        """Do it, or add an error to the form."""
        raise NotImplementedError

    def back(self, text: str) -> HttpResponse:
        messages.success(self.request, text)
        return redirect("training_credits:code-detail", pk=self.code.pk)

    def leave(self) -> HttpResponse:
        text = _("There is nothing to do: the code has changed meanwhile.")
        messages.info(self.request, text)
        return redirect("training_credits:code-detail", pk=self.code.pk)


class EditCodeView(ChangeCodeView):
    name = "edit"
    menu = gettext_lazy("Edit…")
    permission = "change_creditcode"
    template_name = "training_credits/dashboard_code_create.html"
    form_class = EditForm
    heading = gettext_lazy("Edit the code")
    button = gettext_lazy("Save")
    done = gettext_lazy("The code was changed.")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": self.stored()}

    def stored(self) -> CreditCode:
        # The form writes into the object that it is given.
        return CreditCode.objects.get(pk=self.code.pk)

    def act(self, form: EditForm) -> None:
        values, by = form.values(), self.request.user
        managers = values.pop("managers", None)
        try:
            with transaction.atomic():
                issuing.edit_code(self.code, values, by=by)
                if managers is not None:
                    invitations.set_managers(self.code, managers, by=by)
        except WiderThanParent as wider:
            add_wider(form, wider)


class TopUpView(ChangeCodeView):
    name = "top-up"
    menu = gettext_lazy("Top up…")
    permission = "add_creditgrant"
    form_class = TopUpForm
    heading = gettext_lazy("Top up the code")
    button = gettext_lazy("Put credits on it")
    done = gettext_lazy("The credits are on the code.")

    def act(self, form: TopUpForm) -> None:
        asked = form.cleaned_data
        issuing.add_grant(
            self.code,
            asked["credits"],
            origin=asked["origin"],
            note=asked["note"],
            expires_at=end_of(asked["last_day"]) if asked["last_day"] else None,
            paid=asked["paid"],
            by=self.request.user,
            idempotency_key=form.idempotency_key,
        )


class AdjustView(ChangeCodeView):
    name = "adjust"
    menu = gettext_lazy("Adjust…")
    permission = "adjust_creditcode"
    form_class = AdjustForm
    heading = gettext_lazy("Adjust the balance")
    button = gettext_lazy("Adjust the balance")
    done = gettext_lazy("The balance was adjusted.")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "code": self.code}

    def consequences(self) -> list[str]:
        left = wording.amount_text(self.code.balance())
        text = _("%(credits)s can be taken: no more, as the rest is spent or held.")
        return [text % {"credits": left}]

    def act(self, form: AdjustForm) -> None:
        last_day = form.cleaned_data["last_day"]
        try:
            adjusting.adjust_credits(
                self.code,
                form.signed,
                grant=form.cleaned_data["grant"],
                expires_at=end_of(last_day) if last_day else None,
                by=self.request.user,
                idempotency_key=form.idempotency_key,
                **form.record(),
            )
        except NotEnoughCredits:
            text = _("So many can't be taken: the rest is spent, held or expired.")
            form.add_error("credits", text)


@method_decorator(
    [never_cache, sensitive_post_parameters("text", "generated")], name="dispatch"
)
class CutView(ChangeCodeView):
    """Moves credits to a new child code, and leads to the page that shows its text."""

    name = "cut"
    menu = gettext_lazy("Cut a child code…")
    takes_code = True
    permission = "cut_creditcode"
    template_name = "training_credits/dashboard_code_create.html"
    form_class = CutForm
    heading = gettext_lazy("Cut a child code")
    button = gettext_lazy("Cut the child code")
    done = ""

    @classmethod
    def suits(cls, code: CreditCode) -> bool:
        is_parent = code.parent_id is None and not code.one_order_only
        return code.state == State.ACTIVE and is_parent

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "parent": self.code}

    def consequences(self) -> list[str]:
        left = wording.amount_text(self.code.balance())
        return [
            _("%(credits)s can be moved from it.") % {"credits": left},
            _("What the child code does not use comes back."),
        ]

    @sensitive_variables()
    def act(self, form: CutForm) -> HttpResponse | None:
        try:
            issued = form.issue(by=self.request.user)
        except CodeTaken:
            form.add_error("text", _("There is a code with this text already."))
        except NotEnoughCredits:
            text = _("So many can't be moved: the rest is spent, held or expired.")
            form.add_error("credits", text)
        except NotCut:
            return self.leave()
        except WiderThanParent as wider:
            add_wider(form, wider)
        else:
            response = redirect("training_credits:code-text", pk=issued.code.pk)
            new_text.carry(self.request, response, issued.code.pk, issued.text)
            return response
        return None


class TakeBackView(ChangeCodeView):
    name = "take-back"
    menu = gettext_lazy("Take back…")
    permission = "cut_creditcode"
    form_class = TakeBackForm
    heading = gettext_lazy("Take back unused credits?")
    button = gettext_lazy("Take them back")
    done = gettext_lazy("The credits are back on the parent.")

    @classmethod
    def suits(cls, code: CreditCode) -> bool:
        return code.parent_id is not None

    def consequences(self) -> list[str]:
        left = wording.amount_text(cutting.unused(self.code))
        return [
            _("%(credits)s can go back to %(parent)s.")
            % {"credits": left, "parent": self.code.parent},
            _("What is held or spent stays, and the child code lives on."),
        ]

    def act(self, form: TakeBackForm) -> HttpResponse | None:
        try:
            change = cutting.take_back(
                self.code,
                form.cleaned_data["credits"],
                by=self.request.user,
                idempotency_key=form.idempotency_key,
                **form.record(),
            )
        except NotEnoughCredits:
            text = _("So many can't go back: the rest is spent, held or expired.")
            form.add_error("credits", text)
            return None
        return None if change else self.leave()


def add_wider(form: Any, wider: WiderThanParent) -> None:
    """Say at its field what a child code would allow and its parent does not."""
    days = {"starts_at": "first_day", "expires_at": "last_day"}
    field = days.get(wider.field, wider.field)
    text = _("Its parent does not allow that, and a child code is not wider.")
    form.add_error(field if field in form.fields else None, text)


class NoticesView(ChangeCodeView):
    name = "notices"
    menu = gettext_lazy("Notices…")
    permission = "change_creditcode"
    form_class = NoticesForm
    heading = gettext_lazy("Notices to the managers")
    button = gettext_lazy("Set the notices")
    done = gettext_lazy("The notices are set.")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "code": self.code}

    def consequences(self) -> list[str]:
        return [_("They go to all managers of the code by mail.")]

    def act(self, form: NoticesForm) -> None:
        noticing.choose(self.code, form.choices, by=self.request.user)


class ExtendView(ChangeCodeView):
    name = "extend"
    menu = gettext_lazy("Extend…")
    permission = "change_creditcode"
    form_class = ExtendForm
    heading = gettext_lazy("Extend the code")
    button = gettext_lazy("Extend the code")
    done = gettext_lazy("The code was extended.")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "code": self.code}

    def consequences(self) -> list[str]:
        if not self.code.expires_at:
            return [_("The code itself has no end; only its credits can have one.")]
        end = wording.end_in_words(self.code.expires_at)
        texts = [_("It ends now: %(end)s") % {"end": end}]
        if tied := extending.tied_access(self.code):
            text = ngettext(
                "%(n)d access or place that was bought with it ends then.",
                "%(n)d accesses and places that were bought with it end then.",
                tied,
            )
            texts.append(text % {"n": tied})
        return texts

    def act(self, form: ExtendForm) -> HttpResponse | None:
        asked = form.cleaned_data
        try:
            change = extending.extend_code(
                self.code,
                until=end_of(asked["last_day"]),
                with_credits=asked["with_credits"],
                with_access=asked.get("with_access", False),
                by=self.request.user,
                idempotency_key=form.idempotency_key,
                **form.record(),
            )
        except WiderThanParent as wider:
            add_wider(form, wider)
            return None
        except ValueError:
            # Somebody else has extended it since the form was checked.
            form.add_error("last_day", _("It lasts longer than that already."))
            return None
        return None if change else self.leave()


class DisableView(ChangeCodeView):
    name = "disable"
    menu = gettext_lazy("Disable…")
    permission = "change_creditcode"
    form_class = ReasonForm
    heading = gettext_lazy("Disable the code?")
    button = gettext_lazy("Disable the code")
    done = gettext_lazy("The code is disabled.")
    is_dangerous = True
    state: str = State.DISABLED

    @classmethod
    def suits(cls, code: CreditCode) -> bool:
        return code.state == State.ACTIVE

    def consequences(self) -> list[str]:
        return [
            _(
                "Nobody can use it from now on, also where it is applied already. Its"
                " credits stay, and you can make it active again."
            )
        ]

    def act(self, form: ReasonForm) -> None:
        issuing.set_state(self.code, self.state, by=self.request.user, **form.record())


class EnableView(DisableView):
    name = "enable"
    menu = gettext_lazy("Make active again…")
    heading = gettext_lazy("Make the code active again?")
    button = gettext_lazy("Make it active again")
    done = gettext_lazy("The code is active again.")
    is_dangerous = False
    state = State.ACTIVE

    @classmethod
    def suits(cls, code: CreditCode) -> bool:
        return code.state == State.DISABLED

    def consequences(self) -> list[str]:
        return []


class CloseView(ChangeCodeView):
    name = "close"
    menu = gettext_lazy("Close…")
    permission = "adjust_creditcode"
    form_class = CloseForm
    heading = gettext_lazy("Close the code for good?")
    button = gettext_lazy("Close it for good")
    done = gettext_lazy("The code is closed.")
    is_dangerous = True

    @classmethod
    def suits(cls, code: CreditCode) -> bool:
        return code.state != State.CLOSED or bool(code.balance())

    def consequences(self) -> list[str]:
        back = cutting.unused(self.code) if self.code.parent_id else 0
        left = wording.amount_text(self.code.balance() - back)
        texts = []
        if back:
            text = _("%(credits)s that are unused go back to %(parent)s.")
            values = {"credits": wording.amount_text(back), "parent": self.code.parent}
            texts.append(text % values)
        return [
            *texts,
            _("%(credits)s that are left lapse.") % {"credits": left},
            _("This can't be undone. Orders and access that were bought stay."),
            _("What is held for a payment under way can still be paid with it."),
        ]

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "code": self.code}

    def act(self, form: CloseForm) -> None:
        record: Any = form.record()
        take_back = form.cleaned_data.get("take_back", False)
        adjusting.close_code(
            self.code, take_back=take_back, by=self.request.user, **record
        )


class PurgeView(ChangeCodeView):
    name = "purge"
    menu = gettext_lazy("Purge…")
    permission = "adjust_creditcode"
    form_class = ReasonForm
    heading = gettext_lazy("Purge the test code?")
    button = gettext_lazy("Purge it")
    done = gettext_lazy("The test code is closed, and what it made is undone.")
    is_dangerous = True

    @classmethod
    def suits(cls, code: CreditCode) -> bool:
        return code.is_test

    def consequences(self) -> list[str]:
        traces = purging.traces_of(self.code)
        orders = ngettext(
            "%(n)d order gives the credits back that it took from it.",
            "%(n)d orders give the credits back that they took from it.",
            traces.orders,
        )
        accesses = ngettext(
            "%(n)d access that was bought with it ends.",
            "%(n)d accesses that were bought with it end.",
            traces.accesses,
        )
        undone = [
            text % {"n": number}
            for text, number in [(orders, traces.orders), (accesses, traces.accesses)]
            if number
        ]
        closed = _(
            "It is closed, and what is left on it lapses. The records stay, and count"
            " in no report. This can't be undone."
        )
        return [*undone, closed]

    def act(self, form: ReasonForm) -> None:
        purging.purge(self.code, by=self.request.user, **form.record())


@method_decorator(
    [never_cache, sensitive_post_parameters("text", "generated")], name="dispatch"
)
class RotateView(ChangeCodeView):
    name = "rotate"
    menu = gettext_lazy("New text…")
    takes_code = True
    permission = "rotate_creditcode"
    form_class = RotateForm
    heading = gettext_lazy("Give the code a new text?")
    button = gettext_lazy("Make the new text")
    done = ""
    is_dangerous = True

    def consequences(self) -> list[str]:
        return [
            _(
                "The old text is no code any more, for nobody. Baskets that the code"
                " is applied to lose it."
            ),
            _("Balance, history, holds and access stay as they are."),
        ]

    @sensitive_variables()
    def act(self, form: RotateForm) -> HttpResponse | None:
        text = form.cleaned_data["text"] or form.cleaned_data["generated"]
        try:
            issued = issuing.rotate_code(
                self.code,
                text=text,
                by=self.request.user,
                idempotency_key=form.idempotency_key,
                **form.record(),
            )
        except CodeTaken:
            form.add_error("text", _("There is a code with this text already."))
            return None
        response = redirect("training_credits:code-text", pk=self.code.pk)
        new_text.carry(self.request, response, self.code.pk, issued.text)
        return response


ACTIONS: dict[str, type[ChangeCodeView]] = {
    view.name: view
    for view in (
        EditCodeView,
        TopUpView,
        AdjustView,
        CutView,
        TakeBackView,
        ExtendView,
        NoticesView,
        EnableView,
        DisableView,
        RotateView,
        CloseView,
        PurgeView,
    )
}
"""What can be done to a code, by the end of its address: in the buttons' order."""


class BulkView(CodesMixin, View):
    """Changes the chosen codes: all, or none."""

    request: Request
    permission = "change_creditcode"
    http_method_names = ["post"]
    template_name = "training_credits/dashboard_codes_bulk.html"

    def chosen(self) -> QuerySet[CreditCode]:
        numbers = map(number_in, self.request.POST.getlist("code"))
        codes = CreditCode.objects.filter(pk__in=[n for n in numbers if n])
        return codes.order_by("pk")

    def to_list(self) -> HttpResponse:
        back = self.request.POST.get("back", "")
        return HttpResponseRedirect(f"{reverse(LIST)}?{back}")


class BulkStateView(BulkView):
    """Disables the chosen codes, or makes them active again."""

    def post(self, request: Request) -> HttpResponse:
        state = request.POST.get("state", "")
        codes = list(self.chosen().exclude(state=State.CLOSED)[:MOST_AT_ONCE])
        if not codes or state not in issuing.KINDS:
            messages.error(request, _("Choose the codes first."))
            return self.to_list()
        is_confirmed = "confirmed" in request.POST
        data = request.POST if is_confirmed else None
        form = BulkForm(data, initial={"state": state})
        if not is_confirmed or not form.is_valid():
            return self.ask(form, codes, state)
        with transaction.atomic():
            for code in codes:
                issuing.set_state(code, state, by=request.user, **form.record())
        text = ngettext("%(n)d code changed.", "%(n)d codes changed.", len(codes))
        messages.success(request, text % {"n": len(codes)})
        return self.to_list()

    def ask(self, form: BulkForm, codes: list[CreditCode], state: str) -> HttpResponse:
        disables = state == State.DISABLED
        heading = (
            _("Disable these codes?") if disables else _("Make these codes active?")
        )
        context = {
            "form": form,
            "codes": codes,
            "heading": heading,
            "button": _("Disable them") if disables else _("Make them active again"),
            "is_dangerous": disables,
            "back": self.request.POST.get("back", ""),
        }
        return TemplateResponse(self.request, self.template_name, context)


class BulkExtendView(BulkView):
    """Extends the chosen codes that can be, after it has said which and to when."""

    template_name = "training_credits/dashboard_codes_extend.html"

    def post(self, request: Request) -> HttpResponse:
        codes = list(self.chosen()[:MOST_AT_ONCE])
        if not codes:
            messages.error(request, _("Choose the codes first."))
            return self.to_list()
        # The first time it comes from the list, with nothing but the codes.
        form = BulkExtendForm(request.POST if "key" in request.POST else None)
        if not form.is_valid() or "change" in request.POST:
            return self.show(form, codes)
        terms = form.terms()
        if "confirmed" not in request.POST:
            with_credits = terms["with_credits"]
            plan = extending.plan_extension(
                codes, until=terms["until"], with_credits=with_credits
            )
            return self.show(form, codes, plan)
        try:
            done = extending.extend_codes(
                codes,
                **{**terms, **form.record()},
                by=request.user,
                idempotency_key=form.idempotency_key,
            )
        except IdempotencyKeyReused:
            form.add_error(None, used_before())
            return self.show(form, codes)
        self.say(done)
        return self.to_list()

    def show(
        self,
        form: BulkExtendForm,
        codes: list[CreditCode],
        plan: list[Extension] | None = None,
    ) -> HttpResponse:
        """Show the form or, with a plan, what is about to be done."""
        extended = [each.code for each in plan or () if not each.obstacle]
        context = {
            "form": form,
            "codes": codes,
            "is_asked": plan is not None,
            "extended": extended,
            "left_out": left_out(plan or []),
            "consequences": consequences(form, extended) if plan else [],
            "heading": _("Extend these codes?") if plan else _("Extend several codes"),
            "back": self.request.POST.get("back", ""),
        }
        return TemplateResponse(self.request, self.template_name, context)

    def say(self, done: list[Extension]) -> None:
        extended = sum(not each.obstacle for each in done)
        text = ngettext("%(n)d code extended.", "%(n)d codes extended.", extended)
        messages.success(self.request, text % {"n": extended})
        if rest := len(done) - extended:
            text = ngettext(
                "%(n)d code could not be extended.",
                "%(n)d codes could not be extended.",
                rest,
            )
            messages.warning(self.request, text % {"n": rest})


def left_out(plan: list[Extension]) -> list[tuple[CreditCode, str]]:
    """Return the codes that can't be extended, each with the reason."""
    texts = {
        ExtensionObstacle.CLOSED: _("It is closed."),
        ExtensionObstacle.LASTS_LONGER: _("It lasts longer than that already."),
        ExtensionObstacle.OUTLIVES_PARENT: _(
            "It would last longer than the credits of its parent."
        ),
        ExtensionObstacle.NOTHING_TO_DO: _("Nothing of it ends before that day."),
    }
    return [(each.code, texts[each.obstacle]) for each in plan if each.obstacle]


def consequences(form: BulkExtendForm, codes: list[CreditCode]) -> list[str]:
    """Return what happens to the codes that are extended."""
    asked, n = form.cleaned_data, len(codes)
    end = wording.end_in_words(form.terms()["until"])
    text = ngettext(
        "%(n)d code is extended to %(end)s; without an end it keeps none.",
        "%(n)d codes are extended to %(end)s; those without an end keep none.",
        n,
    )
    texts = [text % {"n": n, "end": end}]
    if asked["with_credits"]:
        texts.append(_("Credits left on them that end before, end then, too."))
    else:
        texts.append(_("Credits on them with an end of their own keep it."))
    if asked["with_access"]:
        tied = sum(extending.tied_access(code) for code in codes if code.ends_access)
        text = ngettext(
            "%(n)d access or place that was bought with them, and ends with them, ends"
            " then, as far as its own terms allow.",
            "%(n)d accesses and places that were bought with them, and end with them,"
            " end then, as far as their own terms allow.",
            tied,
        )
        texts.append(text % {"n": tied})
    return texts
