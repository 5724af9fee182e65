"""The task that a site's workers do. It is imported where there are workers."""

from __future__ import annotations

from ...conf import settings
from . import jobs, workers


@workers.library().task(backend=settings.TASK_BACKEND)  # type: ignore[untyped-decorator]
def run_job(job_id: int) -> None:
    jobs.run(job_id)
