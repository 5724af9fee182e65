from django.db import migrations, models
from django.db.models import Exists, OuterRef


def restrict_codes_that_name_somebody(apps, schema_editor):
    CreditCode = apps.get_model("training_credits", "CreditCode")
    codes = CreditCode.objects.using(schema_editor.connection.alias)
    for relation in (CreditCode.learners, CreditCode.groups):
        named = relation.through.objects.filter(creditcode=OuterRef("pk"))
        codes.filter(Exists(named)).update(named_only=True)
    codes.exclude(email_domains="").update(named_only=True)


class Migration(migrations.Migration):
    dependencies = [("training_credits", "0003_sold_by_page")]

    operations = [
        migrations.AddField(
            model_name="creditcode",
            name="named_only",
            field=models.BooleanField(
                default=False,
                help_text="Ticked by itself once somebody is named, and it stays so when the last learner or group is gone: nobody can use the code then. To let everybody use it, name nobody and untick it.",
                verbose_name="only for those named here",
            ),
        ),
        migrations.RunPython(
            restrict_codes_that_name_somebody, migrations.RunPython.noop
        ),
    ]
