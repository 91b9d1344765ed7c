//! The shell that runs the switch: driver, gate, clock, wiring.
