#!/usr/bin/env bash
# wagtail-lms 0.11.1: a package of SCORM 2004 is taken, unpacked and recognised as one, and
# can't be launched: what to open is looked for in the namespace of SCORM 1.2's manifests
# alone. The same package with that namespace has its address. Staff see no error; each
# learner is told that the package has no launch URL.
. "$(dirname "$0")/_site.sh"
packages "django==5.2.19" wagtail==8.0.1 wagtail-lms==0.11.1
wagtail_lms_site
seen "SCORM 1.2: read as 1.2, launched at /lms/scorm-content/package_1_welding/index.html
SCORM 2004: read as 2004, launched at None" <<'PYTHON'
import io
import zipfile

from django.core.files.base import ContentFile
from wagtail_lms.models import SCORMPackage

MANIFEST = """<manifest identifier="welding" version="1"
  xmlns="{namespace}" xmlns:adlcp="{adlcp}">
  <metadata><schema>ADL SCORM</schema><schemaversion>{version}</schemaversion></metadata>
  <organizations default="all"><organization identifier="all"><title>Welding</title>
    <item identifier="one" identifierref="page"><title>Welding</title></item>
  </organization></organizations>
  <resources><resource identifier="page" type="webcontent" adlcp:{kind}="sco"
    href="index.html"><file href="index.html"/></resource></resources>
</manifest>"""


def uploaded(**manifest):
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr("imsmanifest.xml", MANIFEST.format(**manifest))
        archive.writestr("index.html", "Welding")
    file = ContentFile(file.getvalue(), name="welding.zip")
    package = SCORMPackage(title="Welding", package_file=file)
    package.save()
    version = package.manifest_data["version"]
    return f"read as {version}, launched at {package.get_launch_url()}"


old = uploaded(
    version="1.2",
    namespace="http://www.imsproject.org/xsd/imscp_rootv1p1p2",
    adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2",
    kind="scormtype",
)
print("SCORM 1.2:", old)
new = uploaded(
    version="2004 4th Edition",
    namespace="http://www.imsglobal.org/xsd/imscp_v1p1",
    adlcp="http://www.adlnet.org/xsd/adlcp_v1p3",
    kind="scormType",
)
print("SCORM 2004:", new)
PYTHON
