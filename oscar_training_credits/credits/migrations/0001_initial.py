import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("basket", "__first__"),
        ("catalogue", "__first__"),
        ("offer", "__first__"),
        ("order", "__first__"),
        ("partner", "__first__"),
        ("payment", "__first__"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Access",
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
                (
                    "starts_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="starts"
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="ends"),
                ),
                (
                    "learner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="training_access",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="learner",
                    ),
                ),
                (
                    "order_line",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="training_access",
                        to="order.line",
                        verbose_name="order line",
                    ),
                ),
            ],
            options={
                "verbose_name": "access",
                "verbose_name_plural": "access",
            },
        ),
        migrations.CreateModel(
            name="AccessChange",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("given", "Given"),
                            ("changed", "Changed"),
                            ("ended", "Ended"),
                        ],
                        max_length=10,
                        verbose_name="what",
                    ),
                ),
                (
                    "former_end",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="ended before"
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="ends now"
                    ),
                ),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                (
                    "cause",
                    models.CharField(
                        editable=False, max_length=64, null=True, unique=True
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="when"
                    ),
                ),
                (
                    "access",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="training_credits.access",
                        verbose_name="access",
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of access",
                "verbose_name_plural": "changes of access",
            },
        ),
        migrations.CreateModel(
            name="CreditCode",
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
                (
                    "digest",
                    models.CharField(editable=False, max_length=64, unique=True),
                ),
                (
                    "ending",
                    models.CharField(
                        editable=False, max_length=4, verbose_name="ending"
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        help_text="For whom or what it is, for example “ACME, spring cohort”. Learners who use the code see it.",
                        max_length=200,
                        verbose_name="label",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("disabled", "Disabled")],
                        default="active",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "starts_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="usable from"
                    ),
                ),
                (
                    "expires_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="usable until"
                    ),
                ),
                (
                    "email_domains",
                    models.TextField(
                        blank=True,
                        help_text="Domains such as acme.example, one on each line. They are as good as the addresses of your learners: anybody can type one that nobody checks.",
                        verbose_name="only for e-mail addresses at",
                    ),
                ),
                (
                    "include_subdomains",
                    models.BooleanField(
                        default=False, verbose_name="and their subdomains"
                    ),
                ),
                (
                    "credits_per_learner",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The most that one learner may spend. Leave it empty for no cap.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="credits per learner",
                    ),
                ),
                (
                    "redemptions_per_learner",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How often one learner may use it. Leave it empty for no cap.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="orders per learner",
                    ),
                ),
                (
                    "one_order_only",
                    models.BooleanField(
                        default=False,
                        help_text="What is left after that order can't be spent.",
                        verbose_name="for one order only",
                    ),
                ),
                (
                    "ends_access",
                    models.BooleanField(
                        default=False,
                        help_text="Access bought with it ends when the code does, if not before.",
                        verbose_name="access ends with the code",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="created"
                    ),
                ),
                (
                    "content",
                    models.ForeignKey(
                        blank=True,
                        help_text="The products it may pay for. Leave it empty for all.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="offer.range",
                        verbose_name="only for",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        related_name="+",
                        to="auth.group",
                        verbose_name="only for these groups",
                    ),
                ),
                (
                    "learners",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Leave all of this empty, and everybody may use it. Otherwise whoever is one of these learners, or in one of the groups, or has an address at one of the domains may use it.",
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="only for these learners",
                    ),
                ),
            ],
            options={
                "verbose_name": "credit code",
                "verbose_name_plural": "credit codes",
            },
        ),
        migrations.CreateModel(
            name="AppliedCode",
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
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "basket",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="basket.basket",
                    ),
                ),
                (
                    "code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="training_credits.creditcode",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CreditGrant",
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
                (
                    "credits",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000000),
                        ],
                        verbose_name="credits",
                    ),
                ),
                (
                    "remaining",
                    models.PositiveIntegerField(
                        editable=False, verbose_name="remaining"
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("sale", "Sale"),
                            ("goodwill", "Goodwill"),
                            ("import", "Import"),
                            ("adjustment", "Adjustment"),
                        ],
                        default="sale",
                        max_length=10,
                        verbose_name="origin",
                    ),
                ),
                (
                    "note",
                    models.CharField(blank=True, max_length=200, verbose_name="note"),
                ),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="expires"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="created"
                    ),
                ),
                (
                    "code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="training_credits.creditcode",
                        verbose_name="code",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
            ],
            options={
                "verbose_name": "grant",
                "verbose_name_plural": "grants",
            },
        ),
        migrations.CreateModel(
            name="Delivery",
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
                ("key", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("given", "Given"),
                            ("changed", "Changed"),
                            ("ended", "Ended"),
                        ],
                        max_length=10,
                        verbose_name="what",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="starts")),
                (
                    "ends_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="ends"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="since"
                    ),
                ),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, verbose_name="attempts"),
                ),
                (
                    "next_attempt_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="next attempt"
                    ),
                ),
                (
                    "taken_until",
                    models.DateTimeField(editable=False, null=True),
                ),
                (
                    "delivered_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="delivered"
                    ),
                ),
                ("error", models.TextField(blank=True, verbose_name="last error")),
                (
                    "access",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="training_credits.access",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.CreateModel(
            name="MoneyChoice",
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
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="money_choice",
                        to="basket.line",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ParkedPrice",
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
                ("price", models.DecimalField(decimal_places=2, max_digits=12)),
                (
                    "stockrecord",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="partner.stockrecord",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Place",
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
                ("number", models.PositiveIntegerField(verbose_name="number")),
                (
                    "salt",
                    models.CharField(editable=False, max_length=32, unique=True),
                ),
                ("access_days", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "starts_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="starts"),
                ),
                (
                    "ends_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="ends"),
                ),
                (
                    "claimed_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="claimed"),
                ),
                (
                    "revoked_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="revoked"),
                ),
                (
                    "order_line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="training_places",
                        to="order.line",
                        verbose_name="order line",
                    ),
                ),
            ],
            options={
                "verbose_name": "place",
                "verbose_name_plural": "places",
            },
        ),
        migrations.AddField(
            model_name="access",
            name="place",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="access",
                to="training_credits.place",
                verbose_name="place",
            ),
        ),
        migrations.CreateModel(
            name="Redemption",
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
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("held", "Held"),
                            ("captured", "Captured"),
                            ("released", "Released"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "order_number",
                    models.CharField(
                        db_index=True, max_length=128, verbose_name="order number"
                    ),
                ),
                (
                    "attempt",
                    models.PositiveSmallIntegerField(default=1, verbose_name="attempt"),
                ),
                ("credits", models.PositiveIntegerField(verbose_name="credits")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="created"
                    ),
                ),
                (
                    "expires_at",
                    models.DateTimeField(
                        help_text="For a hold: when it lapses by itself.",
                        null=True,
                        verbose_name="held until",
                    ),
                ),
                (
                    "basket",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="credit_redemptions",
                        to="basket.basket",
                        verbose_name="basket",
                    ),
                ),
                (
                    "code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="redemptions",
                        to="training_credits.creditcode",
                        verbose_name="code",
                    ),
                ),
                (
                    "learner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="learner",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_redemptions",
                        to="order.order",
                        verbose_name="order",
                    ),
                ),
            ],
            options={
                "verbose_name": "redemption",
                "verbose_name_plural": "redemptions",
            },
        ),
        migrations.CreateModel(
            name="RedemptionLine",
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
                ("basket_line", models.BigIntegerField(verbose_name="basket line")),
                (
                    "unit_credits",
                    models.PositiveIntegerField(verbose_name="credits each"),
                ),
                ("quantity", models.PositiveIntegerField(verbose_name="quantity")),
                ("credits", models.PositiveIntegerField(verbose_name="credits")),
                (
                    "refunded",
                    models.PositiveIntegerField(default=0, verbose_name="refunded"),
                ),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="training_credits.creditgrant",
                    ),
                ),
                (
                    "redemption",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="training_credits.redemption",
                    ),
                ),
            ],
            options={
                "verbose_name": "redemption line",
                "verbose_name_plural": "redemption lines",
            },
        ),
        migrations.CreateModel(
            name="Refund",
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
                (
                    "cause",
                    models.CharField(
                        help_text="What asked for it. Asking again for the same cause does nothing.",
                        max_length=128,
                        verbose_name="cause",
                    ),
                ),
                ("credits", models.PositiveIntegerField(verbose_name="credits")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="created"
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "redemption",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="training_credits.redemption",
                        verbose_name="redemption",
                    ),
                ),
            ],
            options={
                "verbose_name": "refund",
                "verbose_name_plural": "refunds",
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("grant", "Granted"),
                            ("redeem", "Redeemed"),
                            ("hold", "Held"),
                            ("release", "Released"),
                            ("refund", "Refunded"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "credits",
                    models.IntegerField(
                        help_text="Positive when added, negative when taken.",
                        verbose_name="credits",
                    ),
                ),
                ("balance", models.PositiveIntegerField(verbose_name="balance after")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="created"
                    ),
                ),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="training_credits.creditgrant",
                        verbose_name="grant",
                    ),
                ),
                (
                    "redemption",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="training_credits.redemption",
                        verbose_name="redemption",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="training_credits.refund",
                        verbose_name="refund",
                    ),
                ),
            ],
            options={
                "verbose_name": "ledger entry",
                "verbose_name_plural": "ledger entries",
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="RefundLine",
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
                ("quantity", models.PositiveIntegerField(verbose_name="quantity")),
                ("credits", models.PositiveIntegerField(verbose_name="credits")),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="training_credits.creditgrant",
                    ),
                ),
                (
                    "redemption_line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_lines",
                        to="training_credits.redemptionline",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="training_credits.refund",
                    ),
                ),
            ],
            options={
                "verbose_name": "refund line",
                "verbose_name_plural": "refund lines",
            },
        ),
        migrations.CreateModel(
            name="SettledLine",
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
                (
                    "unit_credits",
                    models.PositiveIntegerField(verbose_name="credits each"),
                ),
                ("quantity", models.PositiveIntegerField(verbose_name="quantity")),
                (
                    "refunded_quantity",
                    models.PositiveIntegerField(default=0, verbose_name="refunded"),
                ),
                (
                    "money_price",
                    models.DecimalField(
                        decimal_places=2,
                        help_text="What the line would have cost in the order's currency, tax included; empty where there was no money price.",
                        max_digits=12,
                        null=True,
                        verbose_name="money price",
                    ),
                ),
                (
                    "order_line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settled_line",
                        to="order.line",
                    ),
                ),
            ],
            options={
                "verbose_name": "line paid in credits",
                "verbose_name_plural": "lines paid in credits",
            },
        ),
        migrations.AddField(
            model_name="redemptionline",
            name="settled_line",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemption_lines",
                to="training_credits.settledline",
            ),
        ),
        migrations.CreateModel(
            name="TrainingProduct",
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
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="training",
                        to="catalogue.product",
                        verbose_name="product",
                    ),
                ),
            ],
            options={
                "verbose_name": "training product",
                "verbose_name_plural": "training products",
            },
        ),
        migrations.CreateModel(
            name="TermsChange",
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
                ("term", models.CharField(max_length=20, verbose_name="term")),
                ("before", models.TextField(blank=True, verbose_name="from")),
                ("after", models.TextField(blank=True, verbose_name="to")),
                (
                    "changed_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="changed"
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="changed by",
                    ),
                ),
                (
                    "training",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="training_credits.trainingproduct",
                        verbose_name="training product",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of terms",
                "verbose_name_plural": "changes of terms",
            },
        ),
        migrations.AddField(
            model_name="place",
            name="training",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="training_credits.trainingproduct",
            ),
        ),
        migrations.CreateModel(
            name="PathCourse",
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
                ("position", models.PositiveSmallIntegerField()),
                (
                    "course",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="in_paths",
                        to="training_credits.trainingproduct",
                        verbose_name="course",
                    ),
                ),
                (
                    "path",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="path_courses",
                        to="training_credits.trainingproduct",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TakenPayment",
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
                (
                    "order_number",
                    models.CharField(max_length=128, verbose_name="order number"),
                ),
                ("currency", models.CharField(max_length=12, verbose_name="currency")),
                (
                    "amount_allocated",
                    models.DecimalField(
                        decimal_places=2, max_digits=12, verbose_name="allocated"
                    ),
                ),
                (
                    "amount_debited",
                    models.DecimalField(
                        decimal_places=2, max_digits=12, verbose_name="debited"
                    ),
                ),
                (
                    "reference",
                    models.CharField(
                        blank=True, max_length=255, verbose_name="reference"
                    ),
                ),
                (
                    "label",
                    models.CharField(blank=True, max_length=128, verbose_name="label"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="taken"
                    ),
                ),
                (
                    "settled_at",
                    models.DateTimeField(
                        db_index=True, null=True, verbose_name="settled"
                    ),
                ),
                (
                    "basket",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="basket.basket",
                        verbose_name="basket",
                    ),
                ),
                (
                    "source_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payment.sourcetype",
                        verbose_name="source type",
                    ),
                ),
            ],
            options={
                "verbose_name": "payment without an order",
                "verbose_name_plural": "payments without an order",
            },
        ),
        migrations.CreateModel(
            name="ExpressPurchase",
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
                (
                    "basket",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="express_purchase",
                        to="basket.basket",
                    ),
                ),
                (
                    "learner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "training",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="training_credits.trainingproduct",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="access",
            name="training",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="access",
                to="training_credits.trainingproduct",
                verbose_name="training product",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditcode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("starts_at", None),
                    ("expires_at", None),
                    ("expires_at__gt", models.F("starts_at")),
                    _connector="OR",
                ),
                name="training_credits_code_ends_after_start",
                violation_error_message="It must end after it starts.",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditcode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_access", False),
                    ("expires_at__isnull", False),
                    _connector="OR",
                ),
                name="training_credits_access_ends_with_code",
                violation_error_message="Say until when the code is usable: access is to end then.",
            ),
        ),
        migrations.AddConstraint(
            model_name="appliedcode",
            constraint=models.UniqueConstraint(
                fields=("basket", "code"), name="training_credits_code_applied_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("remaining__gte", 0), ("remaining__lte", models.F("credits"))
                ),
                name="training_credits_grant_not_overdrawn",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("credits__gte", 1)),
                name="training_credits_grant_not_empty",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["delivered_at", "next_attempt_at"], name="training_delivery_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.UniqueConstraint(
                fields=("order", "code"), name="training_credits_one_redemption"
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.UniqueConstraint(
                fields=("order_number", "code", "attempt"),
                name="training_credits_one_redemption_per_attempt",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("order__isnull", False), ("state", "captured")),
                    models.Q(
                        models.Q(("state", "captured"), _negated=True),
                        ("order__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="training_credits_captured_with_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(("credits__gte", 1)),
                name="training_credits_redemption_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                fields=("redemption", "cause"), name="training_credits_one_refund"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("credits__gte", 1)),
                name="training_credits_refund_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.UniqueConstraint(
                fields=("grant", "redemption", "kind"),
                name="training_credits_one_entry",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.UniqueConstraint(
                fields=("grant", "refund"), name="training_credits_one_refund_entry"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("credits", 0), _negated=True),
                name="training_credits_entry_moves_credits",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.UniqueConstraint(
                fields=("refund", "redemption_line"),
                name="training_credits_one_refund_line",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.CheckConstraint(
                condition=models.Q(("credits__gte", 1), ("quantity__gte", 1)),
                name="training_credits_refund_line_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="settledline",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded_quantity__lte", models.F("quantity"))),
                name="training_credits_line_refunded_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemptionline",
            constraint=models.UniqueConstraint(
                fields=("redemption", "grant", "basket_line"),
                name="training_credits_one_redemption_line",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemptionline",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded__lte", models.F("credits"))),
                name="training_credits_refunded_at_most_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingproduct",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("credit_only", False), ("credits__isnull", False), _connector="OR"
                ),
                name="training_credits_credit_only_has_credits",
                violation_error_message="A credit-only product needs a price in credits.",
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingproduct",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("credits", None), ("credits__gte", 1), _connector="OR"
                ),
                name="training_credits_price_is_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingproduct",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "plan"), ("plan_content__isnull", False)),
                    models.Q(
                        models.Q(("kind", "plan"), _negated=True),
                        ("plan_content", None),
                    ),
                    _connector="OR",
                ),
                name="training_credits_plan_has_content",
                violation_error_message="A plan has content, and nothing else has.",
            ),
        ),
        migrations.AddConstraint(
            model_name="place",
            constraint=models.UniqueConstraint(
                fields=("order_line", "number"), name="training_credits_place_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="pathcourse",
            constraint=models.UniqueConstraint(
                fields=("path", "course"), name="training_credits_course_once_in_path"
            ),
        ),
        migrations.AddIndex(
            model_name="access",
            index=models.Index(
                fields=["learner", "training"], name="training_access_by_learner"
            ),
        ),
        migrations.AddConstraint(
            model_name="access",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_at", None),
                    ("ends_at__gte", models.F("starts_at")),
                    _connector="OR",
                ),
                name="training_credits_access_ends_after_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="access",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("order_line", None), ("place", None), _connector="OR"
                ),
                name="training_credits_access_has_one_ground",
            ),
        ),
    ]
