//! Who may connect: addresses of a platform's callers, and TLS of a line.
//!
//! Contract: parses text only; certificates and keys stand here as references.

use super::section::Section;
use super::settings::{Allow, TlsSettings};
use super::top::secret;
use std::net::IpAddr;

/// `[… .tls]`.
pub(super) fn tls(section: &Section<'_, '_>) -> Option<TlsSettings> {
    let own = section.table("tls")?;
    let key = secret(&own, "key");
    if !own.has("key") {
        own.wrong("key", "is missing: file:PATH or env:NAME of the private key in PEM");
    }
    let settings = TlsSettings {
        certificate: own.need("certificate"),
        authorities: own.need("authorities"),
        peers: own.list("peers"),
        key: key?,
    };
    if settings.peers.is_empty() {
        own.wrong("peers", "is missing: names of which the peer's certificate must carry one");
    }
    own.finish();
    Some(settings)
}

/// `allow`: addresses or networks (`10.1.0.0/16`); absent: everybody who reaches the port.
pub(super) fn allow(section: &Section<'_, '_>) -> Vec<Allow> {
    let listed: Vec<String> = section.list("allow");
    if section.has("allow") && listed.is_empty() {
        section.wrong("allow", "lets nobody in: name at least one address, or leave it out");
    }
    let read = |text: &String| {
        let network = network(text);
        if network.is_none() {
            section.wrong("allow", format!("expected an address or NETWORK/BITS, got \"{text}\""));
        }
        network
    };
    listed.iter().filter_map(read).collect()
}

fn network(text: &str) -> Option<Allow> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some(Allow { address, bits })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_network_lets_in_its_addresses_and_no_others() {
        let lets_in = |net: &str, peer: &str| network(net).unwrap().lets_in(peer.parse().unwrap());
        assert!(lets_in("10.1.0.0/16", "10.1.255.1") && !lets_in("10.1.0.0/16", "10.2.0.1"));
        assert!(lets_in("192.0.2.7", "192.0.2.7") && !lets_in("192.0.2.7", "192.0.2.6"));
        assert!(lets_in("0.0.0.0/0", "203.0.113.9") && !lets_in("0.0.0.0/0", "::1"));
        assert!(lets_in("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!lets_in("2001:db8::/33", "2001:db8:8000::1"));
        // A caller over a dual-stack socket.
        assert!(lets_in("10.1.0.0/16", "::ffff:10.1.0.9"));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/x", "host"] {
            assert!(network(bad).is_none(), "{bad}");
        }
    }
}
