from django.db import migrations

from ..codes import word_index
from ..ledger.triggers import create_triggers, drop_triggers


class Migration(migrations.Migration):
    dependencies = [("training_credits", "0001_initial")]

    operations = [
        # MariaDB knows no DDL inside a transaction; elsewhere the migration has its own.
        migrations.RunPython(create_triggers, drop_triggers, atomic=False),
        migrations.RunPython(word_index.create, word_index.drop),
    ]
