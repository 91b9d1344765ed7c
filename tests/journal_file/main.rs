//! The file journal from outside: what it promises ([`basics`]), what it makes of every kind of
//! damage ([`damage`]), what a failing disk does to it ([`failing`]).
#![cfg(feature = "io")]

mod basics;
mod damage;
mod failing;
mod world;
