"""What Django's report of an error would show, wherever in some code it occurred."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.template.defaultfilters import pprint
from django.views.debug import SafeExceptionReporterFilter

PACKAGE = str(Path(__file__).parent.parent.parent / "oscar_training_credits")


def shown_by(call: Callable[[], Any], tells: Callable[[str], bool]) -> set[str]:
    """Return the variables of the package, in a call, whose report `tells` a secret."""
    reporter, shown, functions = SafeExceptionReporterFilter(), set(), set()

    def look(frame: Any, event: str, _result: Any) -> None:
        function = frame.f_code.co_name
        if event != "return" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        functions.add(function)
        for name, value in reporter.get_traceback_frame_variables(None, frame):
            if tells(pprint(value)):
                shown.add(f"{function}: {name}")

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    assert functions, "nothing of the package was called"
    return shown
