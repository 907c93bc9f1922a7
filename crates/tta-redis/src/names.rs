//! Names that are parts of keys: without the character that separates the parts, so that no two
//! lists of parts give the same key.

use crate::config::RedisConfigError;

pub(crate) const ACCEPTED: &str = "1 to 100 letters, digits, `_`, `.` or `-`";

pub(crate) fn is_good(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=100).contains(&name.len()) && name.bytes().all(is_part)
}

pub(crate) fn check_namespace(name: &str) -> Result<(), RedisConfigError> {
    RedisConfigError::check("namespace", &name, ACCEPTED, is_good(name))
}
