//! Admin: health and metrics over HTTP.
