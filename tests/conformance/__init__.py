"""The DICOMweb surface through HTTP, one file a transaction; each test names the clause that it shows."""
