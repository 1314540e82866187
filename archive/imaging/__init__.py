"""Pixels: native frames by arithmetic, encapsulated frames by their items, and the codecs."""
