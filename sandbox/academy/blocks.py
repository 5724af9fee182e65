from wagtail import blocks
from wagtail.images.blocks import ImageBlock

from oscar_training_credits.cms.blocks import RestrictedBlock


class LessonBlock(blocks.StructBlock):
    title = blocks.CharBlock()
    minutes = blocks.IntegerBlock(min_value=1, label="Minutes to read and try")
    text = blocks.RichTextBlock(features=["bold", "italic", "link", "ol", "ul", "code"])

    class Meta:
        icon = "doc-full"
        label_format = "{title}"
        template = "academy/blocks/lesson.html"


class MemberBlocks(RestrictedBlock):
    """Only learners with access see these."""

    text = blocks.RichTextBlock(icon="pilcrow")
    lesson = LessonBlock()


class BodyBlocks(blocks.StreamBlock):
    heading = blocks.CharBlock(
        icon="title", template="academy/blocks/heading.html", form_classname="title"
    )
    text = blocks.RichTextBlock(icon="pilcrow")
    picture = ImageBlock(icon="image")
    members = MemberBlocks()


class LessonBlocks(blocks.StreamBlock):
    heading = blocks.CharBlock(
        icon="title", template="academy/blocks/heading.html", form_classname="title"
    )
    text = blocks.RichTextBlock(icon="pilcrow")
    lesson = LessonBlock()
