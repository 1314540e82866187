"""Measure any DICOMweb server by its URL, alone or turn and turn about with others.

What is sent is made here and the same on every machine; what comes back is checked, not only timed.
`python -m bench.dicomweb --url http://127.0.0.1:8042/dicom-web --pid 123` measures one server,
`make bench-orthanc` two side by side. Loopback only: this is a bench, not a way to load a server of others.
"""
