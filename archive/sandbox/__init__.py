"""Child processes that do what may crash: decoding, compressing and rendering pixels."""
