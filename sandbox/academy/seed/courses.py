"""The courses, as their authors wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


def html(text: str) -> str:
    """Return the text without the line breaks that are only for this file."""
    return " ".join(text.split())


@dataclass(frozen=True, kw_only=True)
class Lesson:
    title: str
    minutes: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Course:
    slug: str
    title: str
    intro: str
    level: str
    duration: str
    price: Decimal | None
    """Pounds; None if only credits buy it."""
    credits: int | None = None
    access_days: int | None = None
    palette: list[str]
    motif: str
    body: list[tuple[str, str]]
    lessons_intro: str
    lessons: list[Lesson]


DJANGO = Course(
    slug="django-foundations",
    title="Django Foundations",
    intro=(
        "Build a booking site from an empty folder to a tested, deployed "
        "application, and understand every file in it."
    ),
    level="For beginners in Django",
    duration="6 hours",
    price=Decimal("240.00"),
    credits=20,
    palette=["#0b3d36", "#0f7a63", "#7fe8c4", "#d8fff1", "#39b894"],
    motif="blocks",
    body=[
        ("heading", "What you will be able to do"),
        (
            "text",
            html(
                """
                <p>By the end you will have a site that takes bookings for a small
                climbing hall, with accounts, e-mail and a staff area. More to the
                point, you can:</p>
                <ul>
                <li>turn a conversation with a customer into models, and change your
                mind later without losing data;</li>
                <li>find out which queries a page runs, and why one page runs two
                hundred;</li>
                <li>write a form that is right about dates, time zones and double
                clicks;</li>
                <li>test a view in ten lines, and know which tests are worth
                having;</li>
                <li>put the site on a server and bring out a new version on a Tuesday
                afternoon without fear.</li></ul>
                """
            ),
        ),
        ("heading", "Outline"),
        (
            "text",
            html(
                """
                <ol>
                <li>A project you can explain</li>
                <li>Models that survive change</li>
                <li>Views, forms and the second click</li>
                <li>Tests that earn their keep</li></ol>
                """
            ),
        ),
        ("heading", "Who it is for"),
        (
            "text",
            html(
                """
                <p>You write Python without looking up how a <b>for</b> loop works, and
                you have seen HTML. You may have followed a Django tutorial and been
                left with a site that runs but that you would not dare to change. That
                is the right moment.</p>
                """
            ),
        ),
    ],
    lessons_intro=html(
        """
        <p>Each lesson ends with something to change in your own copy. Do it before you
        read on: the next lesson builds on it.</p>
        """
    ),
    lessons=[
        Lesson(
            title="A project you can explain",
            minutes=35,
            text=html(
                """
                <p>Start with an empty folder and one question: what has to happen
                between the moment a browser asks for <code>/bookings/</code> and the
                moment it gets an answer? Every file that Django makes for you is a part
                of that story. The URL configuration says who answers, middleware sees
                the request on its way in and the response on its way out, the view
                decides, the template words it.</p>
                <p>Delete <code>settings.py</code> and write it again, line by line,
                until the site starts. It takes twenty minutes and some error messages
                that you will meet again in your career. Note which line cured which
                message. Nothing teaches what a setting does as well as its absence.</p>
                <p><b>Now you:</b> add a middleware of six lines that measures how long
                each request took, and puts it into a response header. Which requests
                does it not see?</p>
                """
            ),
        ),
        Lesson(
            title="Models that survive change",
            minutes=50,
            text=html(
                """
                <p>The customer says: a booking is for one climber. In the second week
                she says: except on birthdays. We start with a foreign key, move to a
                table in between, and take the data along. The lesson is not the final
                shape, it is the way there: add, copy, switch, remove, each step a
                migration that can run while people book.</p>
                <p>Let the database say no. A constraint of one line, that a booking
                ends after it starts, holds for the site, for the admin, for the script
                that somebody writes in three years. A check in a form holds for the
                form.</p>
                <p>Watch the queries as you go. <code>select_related</code> follows a
                key to one row, <code>prefetch_related</code> fetches many in one more
                query. If you cannot say how many queries a page needs, count them in a
                test: the number will not creep up unnoticed.</p>
                <p><b>Now you:</b> forbid that two bookings share a rope at the same
                time. Try it in Python first and break it with two browser tabs. Then
                try it in the database.</p>
                """
            ),
        ),
        Lesson(
            title="Views, forms and the second click",
            minutes=45,
            text=html(
                """
                <p>A form has three lives: empty, wrong and right. Most of the work is
                in the second one. Keep what people typed, say at the field what is
                wrong, and say what would be right. “Enter a date after today” is worth
                ten of “Invalid value”.</p>
                <p>Then somebody clicks twice. Or the train goes into a tunnel and the
                browser sends the form again. Redirect after every successful POST, and
                give each attempt a key that the database knows to be unique: the second
                one finds the first and shows its result.</p>
                <p><b>Now you:</b> make the booking form safe against the second click,
                and prove it with a test that posts the same data twice.</p>
                """
            ),
        ),
        Lesson(
            title="Tests that earn their keep",
            minutes=40,
            text=html(
                """
                <p>A test is a sentence about the site that a machine checks: <i>a full
                session takes no more bookings</i>. If you cannot write the sentence,
                you do not yet know what the code should do, which is worth finding out
                before you write it.</p>
                <p>We test rules through functions and pages through Django's client,
                and we leave the framework to its own tests. Factories keep the set-up
                short: a test that needs thirty lines of rows is telling you something
                about the models.</p>
                <p><b>Now you:</b> break one line of the site on purpose, any line. Does
                a test fail? If none does, ask whether the line is needed. Then write
                the test, or delete the line.</p>
                """
            ),
        ),
    ],
)

SECURITY = Course(
    slug="secure-by-design",
    title="Secure by Design",
    intro=(
        "Find the weak places of your own web application before somebody else "
        "does, and make whole families of mistakes impossible."
    ),
    level="For working developers",
    duration="9 hours",
    price=None,
    credits=35,
    access_days=90,
    palette=["#2a1245", "#6b2a6e", "#ffb3a7", "#ff7d8f", "#ffe1c7"],
    motif="rings",
    body=[
        ("heading", "What you will be able to do"),
        (
            "text",
            html(
                """
                <p>You will work on a shop that we broke for you in eleven places. After
                the course you can:</p>
                <ul>
                <li>draw the trust boundaries of a system on one sheet, and see where
                the questions are;</li>
                <li>read a pull request for what it lets through, not only for what it
                does;</li>
                <li>choose defences that hold when a colleague forgets about them;</li>
                <li>keep secrets out of logs, addresses and error reports;</li>
                <li>write the first hour of your incident plan, and rehearse
                it.</li></ul>
                """
            ),
        ),
        ("heading", "Outline"),
        (
            "text",
            html(
                """
                <ol>
                <li>Thinking in boundaries</li>
                <li>Who are you, and may you?</li>
                <li>Secrets that stay secret</li>
                <li>The first hour</li></ol>
                """
            ),
        ),
        ("heading", "Who it is for"),
        (
            "text",
            html(
                """
                <p>You have worked on a web application for a year or more, in any
                language; the examples are in Python. Teams get most out of it together:
                the third lesson is an exercise in pairs. It is sold to teams only, for
                credits, and is open for 90 days, because the broken shop changes every
                quarter.</p>
                """
            ),
        ),
    ],
    lessons_intro=html(
        """
        <p>Only ever test what you own or have written permission to test. Everything
        here runs against the practice shop on your own machine.</p>
        """
    ),
    lessons=[
        Lesson(
            title="Thinking in boundaries",
            minutes=60,
            text=html(
                """
                <p>Draw your system as boxes and arrows. Now colour each arrow by who
                writes what travels along it. Wherever the colour changes there is a
                boundary, and at each boundary there is one question: what do we believe
                here, and who told us?</p>
                <p>The practice shop believes the price that the browser sends. It
                sounds too silly to be true, yet three of the five patterns in this
                course are the same belief in better clothes: a role in a cookie, a
                redirect in a parameter, a file name in an upload.</p>
                <p><b>Now you:</b> take the last feature that you shipped. List all that
                it reads from outside. For each, write down the line of code that makes
                it trustworthy. The gaps are your reading list for this week.</p>
                """
            ),
        ),
        Lesson(
            title="Who are you, and may you?",
            minutes=75,
            text=html(
                """
                <p>Authentication is bought; authorisation is built. The framework knows
                who is asking. Only you know that a course manager may see the reports
                of her own team and of nobody else's.</p>
                <p>Write the rule once, as a function that takes a person and a thing,
                and ask it wherever the thing is touched. Filter the query first and
                look up second: <code>person.reports.get(pk=…)</code> cannot show a
                stranger's report, however the address was guessed. Answer “not found”
                and not “forbidden” if the mere existence is nobody's business.</p>
                <p><b>Now you:</b> change one number in an address of the practice shop
                until you see what you should not. Fix it so that the next page that a
                colleague adds is safe without her thinking of it.</p>
                """
            ),
        ),
        Lesson(
            title="Secrets that stay secret",
            minutes=70,
            text=html(
                """
                <p>A secret has a life: it is made, handed over, kept, used, replaced.
                Most leak at the second and the last stage. Make it from the system's
                random source, show it once, keep only a keyed digest, and have a way to
                replace it that takes minutes, since on the day you need it you will
                have no more than that.</p>
                <p>Then follow it through the pipes. Addresses end up in logs, logs in
                dashboards, dashboards in screenshots. We search the practice shop's
                error reports together for a voucher's text. It is there four times.</p>
                <p><b>Now you, in pairs:</b> one of you hides a secret in an innocent
                feature, the other finds it in the logs. Swap. Ten minutes each.</p>
                """
            ),
        ),
        Lesson(
            title="The first hour",
            minutes=55,
            text=html(
                """
                <p>It is ten past nine, a customer forwards an e-mail that you did not
                send. What happens next is decided by what was written down last month:
                who may switch things off, where the keys are, who talks to customers
                and who is left alone to think.</p>
                <p>Keep the plan on one page, with names. Stop the bleeding before you
                look for the cause, but copy the evidence before you stop it. Write a
                line in the log for each step, with the time. You will not remember.</p>
                <p><b>Now you:</b> rehearse with your team. We give you the e-mail and a
                clock. Afterwards change the plan, not the people.</p>
                """
            ),
        ),
    ],
)

ACCESSIBILITY = Course(
    slug="accessible-web",
    title="The Accessible Web",
    intro=(
        "Make pages that work with a keyboard, a screen reader, a small phone and "
        "a tired person, starting with the one that you have."
    ),
    level="For designers and developers",
    duration="4 hours",
    price=Decimal("90.00"),
    palette=["#12295c", "#2a5fb4", "#ffd479", "#a8d4ff", "#ffffff"],
    motif="waves",
    body=[
        ("heading", "What you will be able to do"),
        (
            "text",
            html(
                """
                <ul>
                <li>use a page with a keyboard and a screen reader well enough to know
                what is wrong with it;</li>
                <li>choose the right element, so that you need not describe the wrong
                one;</li>
                <li>write messages, labels and headings that make sense out of
                context;</li>
                <li>check contrast, zoom and motion in two minutes per page;</li>
                <li>tell which rules of WCAG 2.2 a machine can test, and which need
                you.</li></ul>
                """
            ),
        ),
        ("heading", "Outline"),
        (
            "text",
            html(
                """
                <ol>
                <li>Put the mouse away</li>
                <li>Say what it is</li>
                <li>Forms that forgive</li></ol>
                """
            ),
        ),
        ("heading", "Who it is for"),
        (
            "text",
            html(
                """
                <p>Everybody who decides how a page looks or behaves. You need to read
                HTML; you need not be a programmer. Bring a page of your own, as it is.
                It is a small course at a small price, for single learners: it takes no
                credits.</p>
                """
            ),
        ),
    ],
    lessons_intro=html(
        """
        <p>Have your own page open in a second window all the time.</p>
        """
    ),
    lessons=[
        Lesson(
            title="Put the mouse away",
            minutes=40,
            text=html(
                """
                <p>Press Tab until something happens. Can you see where you are? Can you
                get past the menu without visiting each of its forty links? Can you
                leave the date picker once you are in it? Five minutes with the keyboard
                find more than an hour with a checking tool.</p>
                <p>Never take the focus ring away without giving a better one. Two
                pixels of a strong colour, with a gap, show on any background. And let
                the order of the page in the source be the order in which people read
                it.</p>
                <p><b>Now you:</b> buy something on your site with the keyboard alone.
                Write down each place where you had to guess.</p>
                """
            ),
        ),
        Lesson(
            title="Say what it is",
            minutes=45,
            text=html(
                """
                <p>A <code>button</code> that looks like a button can be found, focused,
                pressed and announced. A <code>div</code> that looks like one can be
                looked at. Much of what passes for accessibility work is repairing that
                one decision, attribute by attribute.</p>
                <p>Headings are the table of contents of people who cannot skim with
                their eyes. Read yours as a list: does it tell the story? Links are read
                as a list too. “Read more”, nine times over, tells none.</p>
                <p><b>Now you:</b> switch on the screen reader of your phone, close your
                eyes, and find the opening hours on your own page.</p>
                """
            ),
        ),
        Lesson(
            title="Forms that forgive",
            minutes=45,
            text=html(
                """
                <p>Every field has a label that stays visible while you type. Every
                error says what happened and how to go on, next to the field, in words,
                not in red alone. The summary at the top takes the focus, and its links
                lead to the fields.</p>
                <p>Do not make people type what you know, or do in time what needs time.
                WCAG 2.2 has a rule for each; the reason is the same as for the rest of
                the course: somebody is in a hurry, in pain, or on a bus.</p>
                <p><b>Now you:</b> send your longest form empty. Fix the first three
                messages that you would not say to a friend.</p>
                """
            ),
        ),
    ],
)

POSTGRES = Course(
    slug="data-with-postgres",
    title="Data with PostgreSQL",
    intro=(
        "Ask better questions of your database: read query plans, choose indexes "
        "that pay, and let transactions keep your numbers right."
    ),
    level="For developers and analysts",
    duration="5 hours",
    price=Decimal("180.00"),
    credits=15,
    palette=["#0d2f4f", "#1d6f95", "#bdeaff", "#5fc3ee", "#ffcf8a"],
    motif="tables",
    body=[
        ("heading", "What you will be able to do"),
        (
            "text",
            html(
                """
                <p>You get a database of two million bus journeys and a handful of slow
                questions. Afterwards you can:</p>
                <ul>
                <li>read the output of <code>EXPLAIN ANALYZE</code> from the inside out,
                and say where the time goes;</li>
                <li>choose an index, and also say why another one would not help;</li>
                <li>replace a loop in Python by one query with a window function;</li>
                <li>make two people change the same number at once, and keep it
                right.</li></ul>
                """
            ),
        ),
        ("heading", "Outline"),
        (
            "text",
            html(
                """
                <ol>
                <li>How a question becomes a plan</li>
                <li>Indexes that pay</li>
                <li>Two people, one number</li></ol>
                """
            ),
        ),
        ("heading", "Who it is for"),
        (
            "text",
            html(
                """
                <p>You write SQL or use an ORM daily, and have wondered why the same
                query is quick on Monday and slow on Friday. Any PostgreSQL from version
                14 will do; the data set fits on a laptop.</p>
                """
            ),
        ),
    ],
    lessons_intro=html(
        """
        <p>Load the journeys first: it takes about two minutes.</p>
        """
    ),
    lessons=[
        Lesson(
            title="How a question becomes a plan",
            minutes=50,
            text=html(
                """
                <p>SQL says what you want to know, the planner decides how to find it.
                It guesses, from statistics, how many rows each step will meet. Most
                slow queries are wrong guesses: look for the step where the estimated
                and the actual rows are a factor of a hundred apart, and start
                there.</p>
                <p>Read a plan from the most indented line outwards, and multiply by the
                loops. A step that takes a hundredth of a millisecond is no bargain when
                it runs two million times.</p>
                <p><b>Now you:</b> why does the question about last Friday's delays read
                the whole table? Make a guess before you look.</p>
                """
            ),
        ),
        Lesson(
            title="Indexes that pay",
            minutes=55,
            text=html(
                """
                <p>An index is a second, sorted copy of a few columns that every write
                has to keep up. It pays when it lets you skip most of the table. With
                half the rows to read, the planner ignores it, and is right.</p>
                <p>The order of the columns is the order of a telephone book: by
                surname, then first name. It finds all Smiths, it does not find all
                Alices. Partial indexes cover only the rows that you ask for; covering
                ones answer without visiting the table at all.</p>
                <p><b>Now you:</b> bring the dashboard from nine seconds to under a
                tenth with two indexes. Then drop one of those that were there
                before.</p>
                """
            ),
        ),
        Lesson(
            title="Two people, one number",
            minutes=50,
            text=html(
                """
                <p>Read ten seats, subtract one, write nine. Two people do it at once
                and the bus has sold two seats for one. The cure is old: let the
                database do the sum, in one statement, under a condition. <code>UPDATE …
                SET seats = seats - 1 WHERE seats &gt; 0</code>. Then ask how many rows
                it changed.</p>
                <p>When a decision needs more than one statement, lock the row that
                everybody agrees to lock first, and always lock in the same order.
                Deadlocks are two polite people at two doors.</p>
                <p><b>Now you:</b> open two terminals and oversell the bus. Then make it
                impossible, first with a lock, then with a constraint.</p>
                """
            ),
        ),
    ],
)

COURSES = [DJANGO, SECURITY, ACCESSIBILITY, POSTGRES]

HOME = {
    "headline": "Learn what you need for the work on your desk",
    "intro": (
        "Short, practical courses on building for the web. Buy one for yourself, "
        "or let your team learn with credits that your company has paid for."
    ),
    "body": html(
        """
        <h2>How credits work</h2>
        <p>Your company buys a pot of credits once and gets a code for it. You open a
        course, choose to purchase it with credits, and enter the code. The lessons open
        at once: no invoice, no expenses claim.</p>
        <p>Nobody to give you a code? Most courses can be paid with money as well, and a
        basket may hold both.</p>
        """
    ),
}

INDEX = {
    "title": "Courses",
    "intro": (
        "Each course is a few hours of reading and doing, in your own time. You "
        "keep what you build."
    ),
}

HANDBOOK = {
    "title": "The Query Planner Field Guide",
    "description": html(
        """
        <p>Ninety-six pages on reading query plans, with a picture of every kind of step
        that PostgreSQL can take, what it costs and what usually went wrong when you
        meet it. A PDF, to print or to keep next to the terminal.</p>
        """
    ),
    "price": Decimal("25.00"),
    "palette": ["#3a2410", "#a3561c", "#ffe0b0", "#ffb45e", "#fff4e0"],
    "motif": "tables",
}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A path or a plan."""

    slug: str
    title: str
    intro: str
    price: Decimal | None
    """Pounds; None if only credits buy it."""
    credits: int
    access_days: int | None = None
    palette: list[str]
    motif: str
    body: list[tuple[str, str]]


FULL_STACK = Bundle(
    slug="full-stack",
    title="Full Stack",
    intro=(
        "From an empty folder to a database that stays quick, on pages that "
        "everybody can use: three courses in the order that makes sense."
    ),
    price=Decimal("600.00"),
    credits=60,
    palette=["#14224b", "#1b4bb5", "#8fb8ff", "#e6ecff", "#5fe0c2"],
    motif="blocks",
    body=[
        ("heading", "How the three belong together"),
        (
            "text",
            html(
                """
                <p>You build one booking site all the way through. The first course
                gets it running, the second moves its data to PostgreSQL and finds out
                why the list of bookings is slow, and the third has somebody book a
                climbing lesson with the keyboard alone.</p>
                <p>If you have one of them already, you keep it, and the path opens the
                others.</p>
                """
            ),
        ),
    ],
)

FULL_STACK_COURSES = [DJANGO, POSTGRES, ACCESSIBILITY]

ALL_ACCESS = Bundle(
    slug="all-access-year",
    title="All-Access Year",
    intro=(
        "Every course that we have and every course that we bring out, for a year. "
        "For teams that learn a little each week."
    ),
    price=None,
    credits=120,
    access_days=365,
    palette=["#0b1330", "#1f3a72", "#c9a6ff", "#f0e6ff", "#8fb8ff"],
    motif="lights",
    body=[
        ("heading", "Who it is for"),
        (
            "text",
            html(
                """
                <p>The plan is bought with credits only: your company pays once, and you
                open what you need when you need it. A year begins on the day you
                buy.</p>
                """
            ),
        ),
    ],
)

PATHS = {
    "title": "Learning paths",
    "intro": "Several courses that belong together, in a good order.",
}

PLANS = {
    "title": "Plans",
    "intro": "Everything, for a time.",
}
