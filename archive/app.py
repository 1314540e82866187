"""The application: services, hooks and routes, wired by hand. Importing this opens nothing."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from archive import log
from archive.bootstrap import build
from archive.settings import Settings
from archive.web import access_log, cors, errors, health, metrics, pages, routes, viewer
from archive.web.context import CHECKS, EXTENSION


def create_app(settings: Settings) -> Flask:
    """Make the WSGI application for the settings; one a process."""
    log.install(settings.log_level)
    app = Flask("filmroom", static_folder=None)
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined] # the default provider has it
    numbers = metrics.Metrics()
    services = build(settings, observe=numbers.object_operation)
    app.extensions[EXTENSION] = services
    access_log.install(app, numbers)
    errors.install(app, pages.error_page)
    cors.install(app, settings.cors_origins)
    checks = health.Checks({"index": services.database.check, "store": services.objects.check})
    app.extensions[CHECKS] = checks
    app.register_blueprint(health.blueprint(checks))
    app.register_blueprint(metrics.blueprint(numbers))
    routes.install(app)
    pages.install(app)
    app.register_blueprint(viewer.blueprint())
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign] # the way Flask says to
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_port=hops, x_prefix=hops
        )
    return app
