"""The command line: `filmroom`. Commands read the settings, build the services and speak to a person."""
