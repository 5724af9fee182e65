import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training_credits", "0004_codes_for_those_named")]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="access",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="training_credits.access",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="deleted",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="deleted_training",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="training_credits.trainingproduct",
            ),
        ),
    ]
