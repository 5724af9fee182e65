"""Domains of e-mail addresses: read, and compared exactly.

Two spellings are one domain if the Internet's name service takes them for one:
`BÜCHER.example`, `bücher.example.` and `xn--bcher-kva.example`. Python's codec
"idna" won't do: it is of the standard of 2003, which takes `faß.example` for
`fass.example`, which is somebody else's. The package of that name knows today's.
"""

from __future__ import annotations

from collections.abc import Iterable

import idna
from django.core.exceptions import ValidationError
from django.core.validators import DomainNameValidator
from django.utils.translation import gettext as _

validate_ascii = DomainNameValidator(accept_idna=False)


def domain_of(address: str) -> str:
    """Return the domain of an e-mail address in its one form; empty if it has none."""
    local, _at, domain = address.strip().rpartition("@")
    return one_form(domain) if local else ""


def one_form(domain: str) -> str:
    """Return the one form, in ASCII, that all spellings of `domain` share.

    A label that no domain can have, as one with an underscore, stays as it is.
    """
    bare = domain.strip()
    try:
        mapped = idna.uts46_remap(bare, std3_rules=False)
    except idna.IDNAError:
        mapped = bare.lower()
    return ".".join(map(_ascii_label, mapped.strip().rstrip(".").split(".")))


def covers(domain: str, other: str, *, subdomains: bool) -> bool:
    """Tell whether `other` is `domain` or, with `subdomains`, lies below it.

    Both are in the one form.
    """
    return other == domain or (subdomains and other.endswith(f".{domain}"))


def listed(text: str) -> list[str]:
    """Return the domains in `text`, one on each line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def tidied(domains: Iterable[str]) -> list[str]:
    """Return `domains` without a leading @ or trailing dot, each of them once.

    Raises:
        ValidationError: with a message for each that is not a domain.
    """
    tidy: dict[str, str] = {}
    errors = []
    for domain in domains:
        bare = domain.strip().removeprefix("@").removesuffix(".")
        if error := _complaint(bare):
            errors.append(error)
        tidy.setdefault(one_form(bare), bare)
    if errors:
        raise ValidationError(errors)
    return list(tidy.values())


def _complaint(domain: str) -> str:
    if "@" in domain:
        text = _("“%(domain)s” is an address. Write what follows the @ alone.")
    elif "*" in domain:
        text = _("“%(domain)s”: leave out the *, and choose to include subdomains.")
    elif len(domain.split()) > 1 or "," in domain or ";" in domain:
        text = _("“%(domain)s”: write each domain on a line of its own.")
    elif _is_domain(domain):
        return ""
    else:
        text = _("“%(domain)s” is not a domain such as acme.example.")
    return text % {"domain": domain}


def _is_domain(domain: str) -> bool:
    try:
        validate_ascii(one_form(domain))
    except ValidationError:
        return False
    return True


def _ascii_label(label: str) -> str:
    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:
        return label
