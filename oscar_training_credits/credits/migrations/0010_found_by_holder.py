from django.db import migrations


class Migration(migrations.Migration):
    """It made an index that a later one has made superfluous."""

    dependencies = [("training_credits", "0009_changes_of_codes")]
