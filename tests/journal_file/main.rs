//! The file journal from outside: what it promises ([`basics`]), what it makes of every kind of
//! damage ([`damage`]), what a failing disk does to it ([`failing`]), the real disk ([`disk`]), the
//! day index ([`index`]), spares that are gone or cannot be made ([`spares`]).
#![cfg(feature = "io")]

mod basics;
mod damage;
mod disk;
mod failing;
mod index;
mod spares;
mod world;
