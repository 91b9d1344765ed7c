//! The journal: durable, chained, encrypted records.
