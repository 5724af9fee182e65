from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training_credits", "0007_usual_names")]

    operations = [
        migrations.AlterField(
            model_name="creditcode",
            name="digest",
            field=models.CharField(editable=False, max_length=64),
        ),
        migrations.AddConstraint(
            model_name="creditcode",
            constraint=models.UniqueConstraint(
                fields=["digest"], name="training_credits_one_code_per_digest"
            ),
        ),
        migrations.AddField(
            model_name="creditgrant",
            name="remaining_digits",
            field=models.GeneratedField(
                db_persist=True,
                serialize=False,
                expression=models.Case(
                    *(models.When(remaining__lt=10**n, then=n) for n in range(10)),
                    default=10,
                ),
                output_field=models.PositiveSmallIntegerField(),
            ),
        ),
        migrations.AddIndex(
            model_name="creditcode",
            index=models.Index(
                fields=["label", "id"], name="training_credits_code_label"
            ),
        ),
        migrations.AddIndex(
            model_name="creditcode",
            index=models.Index(
                fields=["expires_at", "id"], name="training_credits_code_end"
            ),
        ),
        migrations.AddIndex(
            model_name="creditcode",
            index=models.Index(
                fields=["state", "id"], name="training_credits_code_state"
            ),
        ),
        migrations.AddIndex(
            model_name="creditcode",
            index=models.Index(
                fields=["last_four"], name="training_credits_code_last4"
            ),
        ),
        migrations.AddIndex(
            model_name="creditgrant",
            index=models.Index(
                fields=["remaining_digits", "code"], name="training_credits_grant_left"
            ),
        ),
        migrations.AddIndex(
            model_name="creditgrant",
            index=models.Index(
                fields=["expires_at"], name="training_credits_grant_end"
            ),
        ),
    ]
