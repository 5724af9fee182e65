from django.db import migrations

from ..codes.label_index import create_holder_index, drop_holder_index


class Migration(migrations.Migration):
    dependencies = [("training_credits", "0009_changes_of_codes")]

    operations = [migrations.RunPython(create_holder_index, drop_holder_index)]
