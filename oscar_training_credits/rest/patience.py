"""What a client is told where the database gives up: it waited too long for others."""

from __future__ import annotations

import logging
from typing import Any

from django.db import OperationalError
from rest_framework import status
from rest_framework.exceptions import APIException

from ..credits.patience import is_tried_again, nothing_taken, undo_request
from ..mixins import Extension

logger = logging.getLogger("training_credits")


class NothingDone(APIException):
    """503, as nothing is wrong with the request: the same can be sent again."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(nothing_taken())


class PatientAPIMixin(Extension):
    """For views that change something: say so where the database gave up on that."""

    request: Any

    def handle_exception(self, error: Exception) -> Any:
        if isinstance(error, OperationalError) and is_tried_again(self.request):
            name = type(self).__name__
            logger.error("%s: the database gave up", name, exc_info=error)
            undo_request()
            error = NothingDone()
        return super().handle_exception(error)
