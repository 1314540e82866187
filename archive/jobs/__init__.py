"""Background work: loops that call services. No SQL, no HTTP."""
