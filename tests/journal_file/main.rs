//! The file journal from outside: what it promises ([`basics`]), what it makes of every kind of
//! damage ([`damage`]), what a failing disk does to it ([`failing`]), the day index ([`index`]).
#![cfg(feature = "io")]

mod basics;
mod damage;
mod failing;
mod index;
mod world;
