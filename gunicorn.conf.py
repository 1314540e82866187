"""Read by `gunicorn wsgi:app` in this folder: the options that `filmroom serve` runs gunicorn with.

Run `filmroom migrate` before it and `filmroom worker` beside it. Flags of the command line win.
"""

import os

from archive import log
from archive.cli.server import gunicorn_options, make_metrics_folder
from archive.settings import Settings

_settings = Settings.from_environment(os.environ)
log.install(_settings.log_level)
make_metrics_folder()
globals().update(gunicorn_options(_settings))
