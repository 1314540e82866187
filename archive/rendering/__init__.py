"""Pictures and documents for people, made from instances."""
