"""HTTP in and out. No SQL and no boto3; what the standard tabulates is in archive/dicomweb/."""
