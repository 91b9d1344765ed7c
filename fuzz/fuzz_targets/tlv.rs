//! libFuzzer calls `checks::tlv`.

#![no_main]

#[expect(dead_code, reason = "every target uses one of the checks")]
#[path = "../checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::tlv(data));
