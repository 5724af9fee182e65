import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns and a model get the names that their field uses."""

    dependencies = [("training_credits", "0006_access_waits_for_payment")]

    operations = [
        migrations.RemoveConstraint("refund", "training_credits_one_refund"),
        migrations.RenameField("refund", "cause", "idempotency_key"),
        migrations.AlterField(
            "refund",
            "idempotency_key",
            models.CharField(
                help_text="What asked for it. Asking again with the same key does nothing.",
                max_length=128,
                verbose_name="idempotency key",
            ),
        ),
        migrations.AddConstraint(
            "refund",
            models.UniqueConstraint(
                fields=("redemption", "idempotency_key"),
                name="training_credits_one_refund",
            ),
        ),
        migrations.RenameField("accesschange", "cause", "idempotency_key"),
        migrations.RenameField("creditcode", "ending", "last_four"),
        migrations.AlterField(
            "creditcode",
            "last_four",
            models.CharField(
                editable=False, max_length=4, verbose_name="last four characters"
            ),
        ),
        migrations.RenameModel("ExpressPurchase", "DirectPurchase"),
        migrations.AlterField(
            "directpurchase",
            "basket",
            models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="direct_purchase",
                to="basket.basket",
            ),
        ),
    ]
