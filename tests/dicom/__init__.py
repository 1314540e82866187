"""Tests of archive/dicom: pydicom is the reference, raw bytes are the hard cases."""
