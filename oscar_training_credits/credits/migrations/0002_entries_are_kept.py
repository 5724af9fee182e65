from django.db import migrations

from ..ledger.triggers import create_triggers, drop_triggers


class Migration(migrations.Migration):
    dependencies = [("training_credits", "0001_initial")]

    # MariaDB knows no DDL inside a transaction; elsewhere the migration has its own.
    operations = [migrations.RunPython(create_triggers, drop_triggers, atomic=False)]
