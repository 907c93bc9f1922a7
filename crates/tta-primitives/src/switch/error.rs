//! What a switch says of a key that no case has.

use tta_telemetry::Name;

use crate::error::{Error, ErrorKind};

/// Accepted keys that a message lists; the others are counted.
const LISTED_KEYS: usize = 8;

#[cold]
pub(super) fn no_case<'a>(key: &str, accepted: impl ExactSizeIterator<Item = &'a Name>) -> Error {
    let unlisted = accepted.len().saturating_sub(LISTED_KEYS);
    let mut list: Vec<String> = accepted.take(LISTED_KEYS).map(|key| format!("`{key}`")).collect();
    if list.is_empty() {
        list.push("none".to_owned());
    }
    let more = if unlisted > 0 { format!(" and {unlisted} more") } else { String::new() };
    Error::new(ErrorKind::InvalidInput, format!("no case for key `{key}`, accepted is {}{more}", list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_key_and_lists_only_so_many_of_those_accepted() {
        let message = |count: u32| {
            let accepted: Vec<Name> = (1..=count).map(|key| Name::from(key.to_string())).collect();
            no_case("x", accepted.iter()).to_string()
        };
        assert_eq!(message(0), "no case for key `x`, accepted is none");
        assert_eq!(message(2), "no case for key `x`, accepted is `1`, `2`");
        assert_eq!(message(8), "no case for key `x`, accepted is `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`");
        assert_eq!(
            message(1_000),
            "no case for key `x`, accepted is `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8` and 992 more"
        );
    }
}
