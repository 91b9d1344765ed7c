//! ISO 8583 messages: dialects, unpack, pack, describe.
