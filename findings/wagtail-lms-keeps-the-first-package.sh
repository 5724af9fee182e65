#!/usr/bin/env bash
# wagtail-lms 0.11.1: a SCORM package is unpacked when it is first saved, and never again.
# Who puts the new edition of a course in the place of the old one has it stored and shown
# as the package's file; learners go on being served the old one.
. "$(dirname "$0")/_site.sh"
packages "django==5.2.19" wagtail==8.0.1 wagtail-lms==0.11.1
wagtail_lms_site
seen "In the file: Edition of 2026
Served to a learner: Edition of 2025" <<'PYTHON'
import io
import zipfile

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from wagtail_lms.models import SCORMPackage

MANIFEST = """<manifest identifier="welding" version="1"
  xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
  xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
  <metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
  <organizations default="all"><organization identifier="all"><title>Welding</title>
    <item identifier="one" identifierref="page"><title>Welding</title></item>
  </organization></organizations>
  <resources><resource identifier="page" type="webcontent" adlcp:scormtype="sco"
    href="index.html"><file href="index.html"/></resource></resources>
</manifest>"""


def packed(edition):
    with zipfile.ZipFile(file := io.BytesIO(), "w") as package:
        package.writestr("imsmanifest.xml", MANIFEST)
        package.writestr("index.html", edition)
    return ContentFile(file.getvalue(), name="welding.zip")


package = SCORMPackage(title="Welding", package_file=packed("Edition of 2025"))
package.save()
package.package_file = packed("Edition of 2026")
package.save()

package = SCORMPackage.objects.get()
stored = zipfile.ZipFile(package.package_file.open())
print("In the file:", stored.read("index.html").decode())
learner = Client()
learner.force_login(User.objects.create_user("learner"))
answer = learner.get(package.get_launch_url())
print("Served to a learner:", b"".join(answer).decode())
PYTHON
