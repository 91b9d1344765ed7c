//! Secrets sent through a run, and looked for afterwards in everything it left behind.
//!
//! Contract: the scanner must find every secret where it was planted before its silence about
//! the run means anything.
