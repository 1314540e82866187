"""The image viewer OHIF: which release, how it is fetched and fitted to this archive, and where it then is.

`filmroom viewer` brings it; archive/web/viewer.py serves it. Without it everything else works.
"""
