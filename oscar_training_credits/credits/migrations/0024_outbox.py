import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Value
from django.db.models.functions import Cast, Concat


def name_queues(apps, schema_editor):
    Delivery = apps.get_model("training_credits", "Delivery")
    rows = Delivery.objects.using(schema_editor.connection.alias)
    number = Cast(F("access_id"), models.CharField(max_length=32))
    rows.filter(access__isnull=False).update(queue=Concat(Value("access-"), number))


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("training_credits", "0028_limits_and_places_of_customers"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="address",
            field=models.EmailField(blank=True, editable=False, max_length=254),
        ),
        migrations.AddField(
            model_name="delivery",
            name="channel",
            field=models.CharField(
                choices=[("enrolment", "Learning system"), ("mail", "Mail")],
                default="enrolment",
                max_length=10,
                verbose_name="channel",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="content",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="dropped_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="given up"),
        ),
        migrations.AddField(
            model_name="delivery",
            name="queue",
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="delivery",
            name="user",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="kind",
            field=models.CharField(max_length=64, verbose_name="what"),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="starts_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="starts"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["queue", "delivered_at"], name="training_delivery_queue"
            ),
        ),
        migrations.RunPython(name_queues, migrations.RunPython.noop),
    ]
