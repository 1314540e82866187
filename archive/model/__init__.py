"""The words that all layers share: frozen dataclasses and the tables of the standard. No I/O."""
