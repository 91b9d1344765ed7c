//! The binary: arguments, then `cli::run`.

use std::process::ExitCode;

/// Messages are allocated by sessions and freed by the core in the same turn: mimalloc serves
/// that from a thread's own free list.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pointsman::cli::run(std::env::args_os())
}
