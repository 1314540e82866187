"""Store requests whose instances come as metadata and bulk values apart (PS3.18 10.5.2).

The metadata come first; each bulk value is staged under its Content-Location. When the body has ended, every
instance is put together as a Part 10 file, which is then stored like any other.
"""

from __future__ import annotations
