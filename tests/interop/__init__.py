"""A live gunicorn and real clients."""
