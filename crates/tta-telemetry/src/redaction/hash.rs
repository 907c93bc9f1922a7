//! A keyed hash: HMAC-SHA-256 (RFC 2104), of which the first 64 bits are shown.

use std::fmt;

use sha2::{Digest, Sha256};

const BLOCK_BYTES: usize = 64;

/// Hashes with one salt. Both blocks of the key are hashed once, when it is made.
#[derive(Clone)]
pub(super) struct Hasher {
    inner: Sha256,
    outer: Sha256,
}

/// What must not be shown is the salt.
impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl Hasher {
    pub(super) fn new(salt: &[u8]) -> Self {
        let mut block = [0_u8; BLOCK_BYTES];
        let shortened = Sha256::digest(salt);
        let key = if salt.len() > BLOCK_BYTES { shortened.as_slice() } else { salt };
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self {
            inner: Sha256::new_with_prefix(block.map(|byte| byte ^ 0x36)),
            outer: Sha256::new_with_prefix(block.map(|byte| byte ^ 0x5c)),
        }
    }

    fn hmac(&self, text: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(text).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }

    /// 64 bits: two of a million secrets have the same with a chance of one in 30 million.
    pub(super) fn of(&self, secret: &str) -> u64 {
        self.hmac(secret.as_bytes()).into_iter().take(8).fold(0, |all, byte| (all << 8) | u64::from(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
    #[test]
    fn the_hash_is_hmac_sha_256() {
        assert_eq!(Hasher::new(&[0x0b; 20]).of("Hi There"), 0xb034_4c61_d8db_3853);
        assert_eq!(Hasher::new(b"Jefe").of("what do ya want for nothing?"), 0x5bdc_c146_bf60_754e);
        let long = "Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(Hasher::new(&[0xaa; 131]).of(long), 0x60e4_3159_1ee0_b67f);
    }
}
