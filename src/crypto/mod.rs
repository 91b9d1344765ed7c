//! MAC arithmetic, pure.
