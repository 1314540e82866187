"""Tests of Filmroom: real databases, real object stores, real files."""
