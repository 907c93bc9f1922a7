//! Which addresses may be served at, and with what protection.

use std::net::SocketAddr;

use super::error::ServerError;

/// Whether an address may be served at; for one that is open to others on purpose, what to warn of.
///
/// An address of this machine alone is always accepted. Another one needs tokens, since whoever
/// reaches it could read what is recorded and change the configuration; TLS alone keeps nobody out.
pub(crate) fn check(
    address: SocketAddr,
    has_tokens: bool,
    has_tls: bool,
    is_insecure: bool,
) -> Result<Option<String>, ServerError> {
    // Also 127.0.0.1 as it is written in IPv6.
    if address.ip().to_canonical().is_loopback() {
        return Ok(None);
    }
    match (has_tokens, is_insecure) {
        (false, false) => Err(ServerError::Exposed { address }),
        (false, true) => Ok(Some(format!(
            "insecure: whoever reaches {address} can read all traces, metrics and costs, send spans, and change the \
             configuration: there are no tokens{}",
            if has_tls { "" } else { ", and nothing is encrypted" }
        ))),
        (true, _) if !has_tls => Ok(Some(format!(
            "not encrypted: whoever can listen on the way to {address} can read tokens and all that is sent; set a \
             certificate and a key, or let a proxy encrypt"
        ))),
        (true, _) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, tokens: bool, tls: bool, insecure: bool) -> Result<Option<String>, String> {
        check(address.parse().unwrap(), tokens, tls, insecure).map_err(|error| error.to_string())
    }

    #[test]
    fn this_machine_alone_needs_no_protection() {
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(at(address, false, false, false), Ok(None), "{address}");
        }
    }

    #[test]
    fn another_address_without_tokens_is_refused_also_with_tls() {
        for address in ["0.0.0.0:8000", "[::]:8000", "192.0.2.1:8000", "[::ffff:10.0.0.1]:8000"] {
            for tls in [false, true] {
                let said = at(address, false, tls, false).unwrap_err();
                let want = format!(
                    "cannot serve at {address} without tokens: whoever reaches it could read all traces, metrics and \
                     costs, send spans, and change the configuration; set tokens, or an address of this machine \
                     (127.0.0.1), or `insecure` to expose it all the same"
                );
                assert_eq!(said, want);
            }
        }
    }

    #[test]
    fn what_is_exposed_on_purpose_is_said() {
        let open = at("0.0.0.0:8000", false, false, true).unwrap().unwrap();
        assert!(open.starts_with("insecure: whoever reaches 0.0.0.0:8000 can read all traces"), "{open}");
        assert!(open.ends_with("there are no tokens, and nothing is encrypted"), "{open}");
        assert!(at("0.0.0.0:8000", false, true, true).unwrap().unwrap().ends_with("there are no tokens"));
        let plain = at("0.0.0.0:8000", true, false, false).unwrap().unwrap();
        assert!(plain.starts_with("not encrypted: whoever can listen on the way to 0.0.0.0:8000"), "{plain}");
        assert_eq!(at("0.0.0.0:8000", true, true, false), Ok(None));
    }
}
