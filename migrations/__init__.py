"""The steps that build the index: run by archive/index/migrate.py, compared with archive/index/schema.py."""
