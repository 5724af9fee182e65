"""A process that guesses, and prints its successes.

`python -m tests.support.guesser CACHES times`.

Without the site, so that it starts quickly.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone

from django.conf import settings


def main(caches: str, times: str) -> None:
    settings.configure(
        SECRET_KEY="only for tests", USE_TZ=True, CACHES=json.loads(caches)
    )

    from oscar_training_credits.credits.codes import throttling
    from oscar_training_credits.exceptions import CreditCodeRefused

    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    allowed = 0
    for _ in range(int(times)):
        try:
            throttling.begin(throttling.Requester(network="192.0.2.1", at=at))
        except CreditCodeRefused:
            continue
        allowed += 1
    sys.stdout.write(str(allowed))


if __name__ == "__main__":
    main(*sys.argv[1:])
