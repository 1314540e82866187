"""Stored instances as Explicit VR Little Endian: streamed, frames decoded one at a time (PS3.18 8.7.3)."""

from __future__ import annotations
