//! The binary: arguments, then `cli::run`.

use mimalloc::MiMalloc;
use std::process::ExitCode;
use zeroizing_alloc::ZeroAlloc;

/// Messages are allocated by sessions and freed by the core in the same turn: mimalloc serves
/// that from a thread's own free list. What is freed is wiped: values that were moved, vectors that
/// grew and buffers of libraries leave no card data behind.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    pointsman::cli::run(std::env::args_os())
}
