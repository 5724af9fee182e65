import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def drop_guard(apps, schema_editor):
    """Let the guard of grants be made anew after the migration: it guards more."""
    vendor = schema_editor.connection.vendor
    if vendor in ("postgresql", "sqlite"):
        table = apps.get_model("training_credits", "CreditGrant")._meta.db_table
        on = f" ON {table}" if vendor == "postgresql" else ""
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_not_stale{on}")


class Migration(migrations.Migration):
    dependencies = [
        ("training_credits", "0011_explaining"),
    ]

    operations = [
        migrations.RunPython(drop_guard, drop_guard),
        migrations.AlterModelOptions(
            name="creditcode",
            options={
                "permissions": [
                    (
                        "adjust_creditcode",
                        "Can adjust the credits of codes, and close codes",
                    ),
                    ("rotate_creditcode", "Can give codes a new text"),
                    ("export_creditcode", "Can export lists of codes"),
                    ("explain_creditcode", "Can ask why a code works for a learner"),
                    ("report_creditcode", "Can see reports on credits"),
                ],
                "verbose_name": "credit code",
                "verbose_name_plural": "credit codes",
            },
        ),
        migrations.CreateModel(
            name="Reinstatement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("credits", models.PositiveIntegerField(verbose_name="credits")),
                ("expired_at", models.DateTimeField(verbose_name="had expired")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="valid again"
                    ),
                ),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reinstatements",
                        to="training_credits.creditgrant",
                        verbose_name="grant",
                    ),
                ),
            ],
            options={
                "verbose_name": "reinstatement",
                "verbose_name_plural": "reinstatements",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("credits__gte", 1),
                            ("expired_at__lte", models.F("created_at")),
                        ),
                        name="training_credits_reinstated_after_expiry",
                    )
                ],
            },
        ),
    ]
