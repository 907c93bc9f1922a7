//! What keys are made of, and what a key function may return.

use super::{CacheKey, CacheKeyWriter};
use crate::error::BoxError;

/// Something that a [`CacheKey`] can be made of.
///
/// Texts stand for themselves and numbers for their decimal digits, so `1` and `"1"` are the same
/// part. A tuple is its parts in a row, and a tuple inside a tuple is no more than its parts. Lists
/// say how long they are and options whether there is something, so `None` is not an empty text.
///
/// ```
/// use tta_primitives::{CacheKey, CacheKeyParts, CacheKeyWriter};
///
/// struct Question { user: u64, text: String }
///
/// impl CacheKeyParts for Question {
///     fn write(&self, key: &mut CacheKeyWriter) {
///         (self.user, &self.text).write(key);
///     }
/// }
/// let key = CacheKey::of(&Question { user: 7, text: "why".into() });
/// assert_eq!(key.as_str(), "1:73:why");
/// ```
pub trait CacheKeyParts {
    /// Adds its parts, in an order that is always the same.
    fn write(&self, key: &mut CacheKeyWriter);
}

/// What a key function may return: a [`CacheKey`], anything one can be made of, or a `Result` of
/// those, whose error bypasses the cache.
pub trait IntoCacheKey {
    /// The key.
    ///
    /// # Errors
    /// What the key function failed with.
    fn into_cache_key(self) -> Result<CacheKey, BoxError>;
}

impl IntoCacheKey for CacheKey {
    fn into_cache_key(self) -> Result<CacheKey, BoxError> {
        Ok(self)
    }
}

impl IntoCacheKey for &CacheKey {
    fn into_cache_key(self) -> Result<CacheKey, BoxError> {
        Ok(self.clone())
    }
}

impl<P: CacheKeyParts> IntoCacheKey for P {
    fn into_cache_key(self) -> Result<CacheKey, BoxError> {
        Ok(CacheKey::of(&self))
    }
}

impl<K: IntoCacheKey, E: Into<BoxError>> IntoCacheKey for Result<K, E> {
    fn into_cache_key(self) -> Result<CacheKey, BoxError> {
        self.map_err(Into::into)?.into_cache_key()
    }
}

impl CacheKeyParts for str {
    fn write(&self, key: &mut CacheKeyWriter) {
        key.part(self);
    }
}

impl CacheKeyParts for String {
    fn write(&self, key: &mut CacheKeyWriter) {
        key.part(self);
    }
}

impl CacheKeyParts for bool {
    fn write(&self, key: &mut CacheKeyWriter) {
        key.part(if *self { "true" } else { "false" });
    }
}

impl CacheKeyParts for char {
    fn write(&self, key: &mut CacheKeyWriter) {
        key.part(self.encode_utf8(&mut [0; 4]));
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl CacheKeyParts for $number {
            fn write(&self, key: &mut CacheKeyWriter) {
                Decimal::of(i128::from(*self)).write(key);
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, i8, i16, i32, i64);

impl CacheKeyParts for usize {
    fn write(&self, key: &mut CacheKeyWriter) {
        (*self as u64).write(key);
    }
}

impl CacheKeyParts for isize {
    fn write(&self, key: &mut CacheKeyWriter) {
        (*self as i64).write(key);
    }
}

/// A number's decimal digits, without allocating.
struct Decimal {
    text: [u8; 20],
    start: usize,
}

impl Decimal {
    /// `number` is one of 64 bits: at most 20 characters.
    fn of(number: i128) -> Self {
        let mut decimal = Self { text: [b'-'; 20], start: 20 };
        let mut rest = number.unsigned_abs() as u64;
        loop {
            decimal.push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            decimal.push(b'-');
        }
        decimal
    }

    fn push(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.text.get_mut(self.start) {
            *place = byte;
        }
    }

    fn write(&self, key: &mut CacheKeyWriter) {
        key.part(self.text.get(self.start..).unwrap_or_default());
    }
}

impl<P: CacheKeyParts + ?Sized> CacheKeyParts for &P {
    fn write(&self, key: &mut CacheKeyWriter) {
        (**self).write(key);
    }
}

impl<P: CacheKeyParts> CacheKeyParts for [P] {
    fn write(&self, key: &mut CacheKeyWriter) {
        key.mark(b'L', self.len());
        self.iter().for_each(|part| part.write(key));
    }
}

impl<P: CacheKeyParts, const N: usize> CacheKeyParts for [P; N] {
    fn write(&self, key: &mut CacheKeyWriter) {
        self.as_slice().write(key);
    }
}

impl<P: CacheKeyParts> CacheKeyParts for Vec<P> {
    fn write(&self, key: &mut CacheKeyWriter) {
        self.as_slice().write(key);
    }
}

impl<P: CacheKeyParts> CacheKeyParts for Option<P> {
    fn write(&self, key: &mut CacheKeyWriter) {
        key.mark(b'O', usize::from(self.is_some()));
        if let Some(part) = self {
            part.write(key);
        }
    }
}

macro_rules! tuples {
    ($(($($part:ident)+))*) => {$(
        impl<$($part: CacheKeyParts),+> CacheKeyParts for ($($part,)+) {
            fn write(&self, key: &mut CacheKeyWriter) {
                #[allow(non_snake_case)]
                let ($($part,)+) = self;
                $($part.write(key);)+
            }
        }
    )*};
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
