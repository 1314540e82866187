"""Filmroom: a DICOMweb image archive. See docs/architecture.md for the way of a request."""

__version__ = "0.1.0"
