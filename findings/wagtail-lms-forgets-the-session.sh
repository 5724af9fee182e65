#!/usr/bin/env bash
# wagtail-lms 0.11.1: a SCORM 1.2 course that was left in the middle is told that it is
# entered for the first time (`cmi.core.entry` is "ab-initio" and never "resume"), so one
# that goes by that begins again. `cmi.core.total_time`, which the LMS is to sum up from
# each session's time, stays at zero: the hours that an accredited training has to prove
# are lost, but for the last session's.
. "$(dirname "$0")/_site.sh"
packages "django==5.2.19" wagtail==8.0.1 wagtail-lms==0.11.1
wagtail_lms_site
seen "Left with: exit suspend, page 7, after 0001:30:00
Entered again: entry ab-initio, page 7, total 0000:00:00.00
Completed after 0000:45:00 more: total 0000:00:00.00, in the database None" <<'PYTHON'
from django.contrib.auth.models import User
from django.test import Client
from wagtail_lms.models import SCORMAttempt, SCORMPackage

user = User.objects.create_user("learner")
package = SCORMPackage.objects.create(title="Welding")
attempt = SCORMAttempt.objects.create(user=user, scorm_package=package)
learner = Client()
learner.force_login(user)


def call(method, *parameters):
    """As the course calls LMSInitialize, LMSSetValue and so on in the browser."""
    sent = {"method": method, "parameters": parameters}
    address = f"/lms/scorm-api/{attempt.pk}/"
    return learner.post(address, sent, content_type="application/json").json()["result"]


def session(**values):
    call("Initialize", "")
    for name, value in values.items():
        call("SetValue", f"cmi.core.{name}", value)
    call("Commit", "")
    call("Terminate", "")


first = {"lesson_location": "page 7", "session_time": "0001:30:00", "exit": "suspend"}
session(**first, lesson_status="incomplete")
print("Left with: exit {exit}, {lesson_location}, after {session_time}".format(**first))

call("Initialize", "")
entry, place, total = (
    call("GetValue", f"cmi.core.{name}")
    for name in ("entry", "lesson_location", "total_time")
)
print(f"Entered again: entry {entry}, {place}, total {total}")

session(lesson_status="completed", session_time="0000:45:00")
total = call("GetValue", "cmi.core.total_time")
attempt.refresh_from_db()
print(f"Completed after 0000:45:00 more: total {total}, in the database {attempt.total_time}")
PYTHON
