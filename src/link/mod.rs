//! Links: listeners, connectors and sessions.
