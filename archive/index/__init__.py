"""The index: the only SQL of Filmroom. Rows do not leave this package; frozen records do."""
