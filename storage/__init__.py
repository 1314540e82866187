"""Keys and bytes: the contract of an object store and its drivers. Knows no DICOM."""
