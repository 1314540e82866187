"""Filmroom and Orthanc side by side: `make bench-orthanc`."""
