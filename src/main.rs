//! The binary: arguments, then `cli::run`.

fn main() {}
