"""Who is asking. Every read and write of the index takes one."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ORGANISATION = "default"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or system, and the organisation it acts for."""

    name: str
    organisation: str = DEFAULT_ORGANISATION


ANYONE = Principal(name="anonymous")
"""The caller while no authentication is configured: all of the one organisation."""
