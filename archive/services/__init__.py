"""One module a use case. Services own the database transactions; they know neither HTTP nor SQL."""
