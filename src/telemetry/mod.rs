//! Telemetry: every metric and span name once; logging with redaction.
