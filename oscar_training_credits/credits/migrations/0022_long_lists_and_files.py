import django.db.models.deletion
from django.db import migrations, models

from ..codes import word_index
from ..ledger.triggers import keep_entries

STATES = [
    ("checking", "Being checked"),
    ("draft", "To be confirmed"),
    ("refused", "Refused"),
    ("running", "Running"),
    ("stopped", "Stopped"),
    ("done", "Done"),
]


class Migration(migrations.Migration):
    """Lists, histories and files of any length.

    One index finds codes by all their words, instead of three by pieces of texts, and
    two small ones those that begin later and those for tests. They are written to when
    a code is issued or edited, and never by a purchase. Those of the orders of a code
    and of the movements on a grant have the key added, which sorts them: a purchase
    writes to no more indexes than before.
    """

    dependencies = [("training_credits", "0021_child_codes")]

    operations = [
        migrations.AddField(
            model_name="codejob",
            name="stopped_while",
            field=models.CharField(
                choices=STATES,
                default="running",
                editable=False,
                max_length=10,
                verbose_name="what it did before",
            ),
        ),
        migrations.AlterField(
            model_name="codejob",
            name="state",
            field=models.CharField(
                choices=STATES, default="draft", max_length=10, verbose_name="state"
            ),
        ),
        migrations.RemoveIndex(
            model_name="creditcode", name="training_credits_code_last4"
        ),
        migrations.AddIndex(
            model_name="creditcode",
            index=models.Index(
                condition=models.Q(("starts_at__isnull", False)),
                fields=["starts_at"],
                name="training_credits_code_start",
            ),
        ),
        migrations.AddIndex(
            model_name="creditcode",
            index=models.Index(
                condition=models.Q(("is_test", True)),
                fields=["is_test"],
                name="training_credits_code_test",
            ),
        ),
        keep_entries(),
        # Before those that they replace: MariaDB needs one for each foreign key.
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(
                fields=["grant", "id"], name="training_credits_grant_entries"
            ),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=models.Index(
                fields=["code", "id"], name="training_credits_code_orders"
            ),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="grant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="training_credits.creditgrant",
                verbose_name="grant",
            ),
        ),
        migrations.AlterField(
            model_name="redemption",
            name="code",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemptions",
                to="training_credits.creditcode",
                verbose_name="code",
            ),
        ),
        keep_entries(),
        migrations.RunPython(word_index.create, word_index.drop),
    ]
