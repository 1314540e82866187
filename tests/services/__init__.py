"""The real servers of the tests: PostgreSQL, an S3-compatible store, a proxy that breaks connections, Ceph.

`python -m tests.services` runs PostgreSQL and the store in the foreground, for trying things by hand.
"""
