//! The canonical message: what a message means, whatever dialect it came in.
