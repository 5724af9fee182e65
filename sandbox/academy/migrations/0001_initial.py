import django.core.validators
import django.db.models.deletion
import wagtail.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalogue", "__first__"),
        ("offer", "__first__"),
        ("wagtailcore", "0094_alter_page_locale"),
        ("wagtailimages", "0027_image_description"),
    ]

    operations = [
        migrations.CreateModel(
            name="CourseIndexPage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.page",
                    ),
                ),
                ("intro", models.TextField()),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page",),
        ),
        migrations.CreateModel(
            name="PathIndexPage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.page",
                    ),
                ),
                ("intro", models.TextField()),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page",),
        ),
        migrations.CreateModel(
            name="PlanIndexPage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.page",
                    ),
                ),
                ("intro", models.TextField()),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page",),
        ),
        migrations.CreateModel(
            name="CoursePage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.page",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("course", "Course"),
                            ("path", "Path"),
                            ("plan", "Plan"),
                        ],
                        default="course",
                        help_text="A course opens itself, a path its courses, a plan a range of products.",
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "credits",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The price in credits. Leave it empty if it takes no credits.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="credits",
                    ),
                ),
                (
                    "credit_only",
                    models.BooleanField(
                        default=False,
                        help_text="No price in money is shown anywhere; only credits can pay.",
                        verbose_name="credit-only",
                    ),
                ),
                (
                    "access_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How long access lasts after purchase. Leave it empty for no end.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="days of access",
                    ),
                ),
                (
                    "access_from",
                    models.DateField(
                        blank=True,
                        help_text="The first day of access. Leave it empty to start at purchase.",
                        null=True,
                        verbose_name="access from",
                    ),
                ),
                (
                    "access_until",
                    models.DateField(
                        blank=True,
                        help_text="The last day of access for everybody. Leave it empty for none.",
                        null=True,
                        verbose_name="access until",
                    ),
                ),
                (
                    "path_courses",
                    wagtail.fields.StreamField(
                        [("course", 0)],
                        blank=True,
                        block_lookup={
                            0: ("oscar_training_credits.cms.path.CourseBlock", (), {})
                        },
                        help_text="What the path opens, in this order.",
                        verbose_name="courses of the path",
                    ),
                ),
                (
                    "intro",
                    models.TextField(
                        help_text="One or two sentences, also for cards and feeds."
                    ),
                ),
                ("level", models.CharField(blank=True, max_length=60)),
                ("duration", models.CharField(blank=True, max_length=60)),
                (
                    "body",
                    wagtail.fields.StreamField(
                        [("heading", 0), ("text", 1), ("picture", 2)],
                        blank=True,
                        block_lookup={
                            0: (
                                "wagtail.blocks.CharBlock",
                                (),
                                {
                                    "form_classname": "title",
                                    "icon": "title",
                                    "template": "academy/blocks/heading.html",
                                },
                            ),
                            1: (
                                "wagtail.blocks.RichTextBlock",
                                (),
                                {"icon": "pilcrow"},
                            ),
                            2: (
                                "wagtail.images.blocks.ImageBlock",
                                [],
                                {"icon": "image"},
                            ),
                        },
                    ),
                ),
                (
                    "lessons",
                    wagtail.fields.StreamField(
                        [("heading", 0), ("text", 1), ("lesson", 5)],
                        blank=True,
                        block_lookup={
                            0: (
                                "wagtail.blocks.CharBlock",
                                (),
                                {
                                    "form_classname": "title",
                                    "icon": "title",
                                    "template": "academy/blocks/heading.html",
                                },
                            ),
                            1: (
                                "wagtail.blocks.RichTextBlock",
                                (),
                                {"icon": "pilcrow"},
                            ),
                            2: ("wagtail.blocks.CharBlock", (), {}),
                            3: (
                                "wagtail.blocks.IntegerBlock",
                                (),
                                {"label": "Minutes to read and try", "min_value": 1},
                            ),
                            4: (
                                "wagtail.blocks.RichTextBlock",
                                (),
                                {
                                    "features": [
                                        "bold",
                                        "italic",
                                        "link",
                                        "ol",
                                        "ul",
                                        "code",
                                    ]
                                },
                            ),
                            5: (
                                "wagtail.blocks.StructBlock",
                                [[("title", 2), ("minutes", 3), ("text", 4)]],
                                {},
                            ),
                        },
                    ),
                ),
                (
                    "image",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailimages.image",
                    ),
                ),
                (
                    "plan_content",
                    models.ForeignKey(
                        blank=True,
                        help_text="The range of products that a plan opens, also what is added to it later.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="offer.range",
                        verbose_name="content of the plan",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True,
                        help_text="The product of the shop that this page sells.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalogue.product",
                        verbose_name="product",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page", models.Model),
        ),
        migrations.CreateModel(
            name="HomePage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.page",
                    ),
                ),
                ("headline", models.CharField(max_length=120)),
                ("intro", models.TextField()),
                ("body", wagtail.fields.RichTextField(blank=True)),
                (
                    "image",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailimages.image",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page",),
        ),
        migrations.CreateModel(
            name="PathPage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.page",
                    ),
                ),
                (
                    "credits",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The price in credits. Leave it empty if it takes no credits.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="credits",
                    ),
                ),
                (
                    "credit_only",
                    models.BooleanField(
                        default=False,
                        help_text="No price in money is shown anywhere; only credits can pay.",
                        verbose_name="credit-only",
                    ),
                ),
                (
                    "access_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How long access lasts after purchase. Leave it empty for no end.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="days of access",
                    ),
                ),
                (
                    "access_from",
                    models.DateField(
                        blank=True,
                        help_text="The first day of access. Leave it empty to start at purchase.",
                        null=True,
                        verbose_name="access from",
                    ),
                ),
                (
                    "access_until",
                    models.DateField(
                        blank=True,
                        help_text="The last day of access for everybody. Leave it empty for none.",
                        null=True,
                        verbose_name="access until",
                    ),
                ),
                (
                    "path_courses",
                    wagtail.fields.StreamField(
                        [("course", 0)],
                        blank=True,
                        block_lookup={
                            0: ("oscar_training_credits.cms.path.CourseBlock", (), {})
                        },
                        help_text="What the path opens, in this order.",
                        verbose_name="courses of the path",
                    ),
                ),
                (
                    "intro",
                    models.TextField(
                        help_text="One or two sentences, also for cards and feeds."
                    ),
                ),
                (
                    "body",
                    wagtail.fields.StreamField(
                        [("heading", 0), ("text", 1), ("picture", 2)],
                        blank=True,
                        block_lookup={
                            0: (
                                "wagtail.blocks.CharBlock",
                                (),
                                {
                                    "form_classname": "title",
                                    "icon": "title",
                                    "template": "academy/blocks/heading.html",
                                },
                            ),
                            1: (
                                "wagtail.blocks.RichTextBlock",
                                (),
                                {"icon": "pilcrow"},
                            ),
                            2: (
                                "wagtail.images.blocks.ImageBlock",
                                [],
                                {"icon": "image"},
                            ),
                        },
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("course", "Course"),
                            ("path", "Path"),
                            ("plan", "Plan"),
                        ],
                        default="path",
                        max_length=10,
                    ),
                ),
                (
                    "image",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailimages.image",
                    ),
                ),
                (
                    "plan_content",
                    models.ForeignKey(
                        blank=True,
                        help_text="The range of products that a plan opens, also what is added to it later.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="offer.range",
                        verbose_name="content of the plan",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True,
                        help_text="The product of the shop that this page sells.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalogue.product",
                        verbose_name="product",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page", models.Model),
        ),
        migrations.CreateModel(
            name="PlanPage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.page",
                    ),
                ),
                (
                    "credits",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The price in credits. Leave it empty if it takes no credits.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="credits",
                    ),
                ),
                (
                    "credit_only",
                    models.BooleanField(
                        default=False,
                        help_text="No price in money is shown anywhere; only credits can pay.",
                        verbose_name="credit-only",
                    ),
                ),
                (
                    "access_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How long access lasts after purchase. Leave it empty for no end.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="days of access",
                    ),
                ),
                (
                    "access_from",
                    models.DateField(
                        blank=True,
                        help_text="The first day of access. Leave it empty to start at purchase.",
                        null=True,
                        verbose_name="access from",
                    ),
                ),
                (
                    "access_until",
                    models.DateField(
                        blank=True,
                        help_text="The last day of access for everybody. Leave it empty for none.",
                        null=True,
                        verbose_name="access until",
                    ),
                ),
                (
                    "path_courses",
                    wagtail.fields.StreamField(
                        [("course", 0)],
                        blank=True,
                        block_lookup={
                            0: ("oscar_training_credits.cms.path.CourseBlock", (), {})
                        },
                        help_text="What the path opens, in this order.",
                        verbose_name="courses of the path",
                    ),
                ),
                (
                    "intro",
                    models.TextField(
                        help_text="One or two sentences, also for cards and feeds."
                    ),
                ),
                (
                    "body",
                    wagtail.fields.StreamField(
                        [("heading", 0), ("text", 1), ("picture", 2)],
                        blank=True,
                        block_lookup={
                            0: (
                                "wagtail.blocks.CharBlock",
                                (),
                                {
                                    "form_classname": "title",
                                    "icon": "title",
                                    "template": "academy/blocks/heading.html",
                                },
                            ),
                            1: (
                                "wagtail.blocks.RichTextBlock",
                                (),
                                {"icon": "pilcrow"},
                            ),
                            2: (
                                "wagtail.images.blocks.ImageBlock",
                                [],
                                {"icon": "image"},
                            ),
                        },
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("course", "Course"),
                            ("path", "Path"),
                            ("plan", "Plan"),
                        ],
                        default="plan",
                        max_length=10,
                    ),
                ),
                (
                    "image",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailimages.image",
                    ),
                ),
                (
                    "plan_content",
                    models.ForeignKey(
                        blank=True,
                        help_text="The range of products that a plan opens, also what is added to it later.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="offer.range",
                        verbose_name="content of the plan",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True,
                        help_text="The product of the shop that this page sells.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalogue.product",
                        verbose_name="product",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page", models.Model),
        ),
    ]
