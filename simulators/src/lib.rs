//! Simulators and the rooms they share; the wire below them is pointsman's.
