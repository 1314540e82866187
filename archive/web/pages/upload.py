"""GET /upload: files and folders from a browser straight to the store transaction.

The page sends with the same requests as any client of STOW-RS (static/upload/); there is no other way in.
This module only says where it is.
"""

from __future__ import annotations

from flask import Blueprint, render_template

from archive.web.pages.links import dicomweb

_ANY = "STUDY"  # stands for a UID in the address of a study, for the script to put one in


def add(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/upload", "upload", upload)


def upload() -> str:
    """Show the page that sends files."""
    return render_template("upload.html", dicomweb=dicomweb(""), any_study=_ANY)
