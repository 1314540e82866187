"""The grammar of PS3.18, without I/O: media types, negotiation, multipart, parameters, responses."""
