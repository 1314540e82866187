"""PS3.5, 3.6 and 3.10: reading data sets, their DICOM JSON, their frames and bulk values. No HTTP, no SQL."""
