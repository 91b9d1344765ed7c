//! The shell's engine: the driver around the one switch, the gate, the journal's thread, the
//! clock, and the wiring of it all. The only room that spawns.

pub mod clock;
pub mod gate;
pub mod shutdown;
