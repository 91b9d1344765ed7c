//! The switch: decides everything, touches nothing.
