//! Attribute keys that most spans have: found in the program instead of copied.
//!
//! Owns the list. A key that is not in it is as good, and takes an allocation.

const KEYS: [&str; 80] = [
    "app.product.id",
    "cache.hit",
    "client.address",
    "code.function.name",
    "component",
    "cost.usd",
    "db.name",
    "db.operation",
    "db.operation.name",
    "db.statement",
    "db.system",
    "db.system.name",
    "deployment.environment.name",
    "enduser.id",
    "error.message",
    "error.type",
    "exception.message",
    "exception.stacktrace",
    "exception.type",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "host.name",
    "http.flavor",
    "http.host",
    "http.method",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "http.scheme",
    "http.status_code",
    "http.target",
    "http.url",
    "http.user_agent",
    "message.id",
    "message.type",
    "messaging.destination.name",
    "messaging.operation",
    "messaging.system",
    "net.host.name",
    "net.host.port",
    "net.peer.ip",
    "net.peer.name",
    "net.peer.port",
    "network.peer.address",
    "network.peer.port",
    "network.protocol.name",
    "network.protocol.version",
    "network.transport",
    "peer.address",
    "peer.service",
    "process.pid",
    "request_size",
    "response_size",
    "rpc.grpc.status_code",
    "rpc.method",
    "rpc.service",
    "rpc.system",
    "server.address",
    "server.port",
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "session.id",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "thread.id",
    "thread.name",
    "url.full",
    "url.path",
    "url.query",
    "url.scheme",
    "user.id",
    "user_agent",
    "user_agent.original",
];

/// Places, more than twice as many as keys: a look-up that finds nothing ends soon.
const PLACES: usize = 256;

/// At each place the index of a key and one, or 0 for none. A key whose place is taken has the next.
const TABLE: [u8; PLACES] = table();

/// Where a key is looked for first: from its length and four of its bytes.
const fn place(key: &[u8]) -> usize {
    let (Some((first, _)), Some((last, front))) = (key.split_first(), key.split_last()) else { return 0 };
    let (_, middle) = key.split_at(key.len() / 2);
    let (Some((middle, _)), Some((before, _))) = (middle.split_first(), front.split_last()) else { return 0 };
    let sum = key.len() * 37 + *first as usize * 3 + *middle as usize * 11 + *before as usize * 5 + *last as usize * 29;
    sum % PLACES
}

/// Made by the compiler, which would not take an index out of bounds.
#[allow(clippy::indexing_slicing)]
const fn table() -> [u8; PLACES] {
    let mut table = [0; PLACES];
    let mut index = 0;
    while index < KEYS.len() {
        let mut at = place(KEYS[index].as_bytes());
        while table[at] != 0 {
            at = (at + 1) % PLACES;
        }
        table[at] = index as u8 + 1;
        index += 1;
    }
    table
}

/// The same key as a literal.
#[inline]
pub(super) fn known_key(key: &str) -> Option<&'static str> {
    let mut at = place(key.as_bytes());
    loop {
        let index = TABLE.get(at)?.checked_sub(1)?;
        let known = *KEYS.get(usize::from(index))?;
        if known == key {
            return Some(known);
        }
        at = (at + 1) % PLACES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_list_is_found_and_no_other_one() {
        for key in KEYS {
            assert_eq!(known_key(key), Some(key));
            for other in [format!("{key}x"), format!("x{key}"), key.to_uppercase(), key[1..].to_owned()] {
                assert_eq!(known_key(&other), None, "{other}");
            }
        }
        assert_eq!((known_key(""), known_key("a"), known_key("é")), (None, None, None));
    }

    #[test]
    fn look_ups_are_short() {
        let longest = TABLE.split(|index| *index == 0).map(<[u8]>::len).max();
        assert!(longest <= Some(8), "{longest:?}");
    }
}
