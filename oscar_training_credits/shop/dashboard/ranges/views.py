"""Oscar's ranges in the dashboard, which plans and codes may need."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from ....aliases import Request
from ....mixins import Extension
from ..in_use import in_use_text, users_of


class RangeDeleteViewMixin(Extension):
    """For Oscar's `dashboard.ranges.views.RangeDeleteView`."""

    request: Request

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say what stands in the way if plans or codes need the range."""
        content = self.get_object()
        # Asked first: Oscar tells of its success before it deletes anything.
        if users := users_of(content):
            messages.error(request, in_use_text(content.name, users))
            return redirect("dashboard:range-list")
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response
