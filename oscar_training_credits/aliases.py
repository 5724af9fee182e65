"""Names for what each site has classes of its own for, so that no checker knows them.

Oscar's models are the site's, forked or not, and its middleware gives a request a
basket and a strategy.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Basket: TypeAlias = Any
Order: TypeAlias = Any
Product: TypeAlias = Any
Request: TypeAlias = Any
