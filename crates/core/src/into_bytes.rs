//! Data that can be written without a copy.
//!
//! `Into<Bytes>` does not cover byte-string literals (`b"x"`), which are `&'static [u8; N]`. Borrowed
//! data is left out: for it there are methods whose names say that they copy.

use bytes::{Bytes, BytesMut};

/// Data that becomes [`Bytes`] without a copy of its contents.
///
/// # Examples
///
/// ```
/// use procession::IntoBytes;
///
/// fn length(data: impl IntoBytes) -> usize {
///     data.into_bytes().len()
/// }
/// assert_eq!(length("literal"), 7);
/// assert_eq!(length(b"bytes"), 5);
/// assert_eq!(length(String::from("owned")), 5);
/// assert_eq!(length(vec![0; 3]), 3);
/// ```
pub trait IntoBytes {
    /// Converts the data without copying its contents.
    fn into_bytes(self) -> Bytes;
}

macro_rules! via_into {
    ($($data:ty),* $(,)?) => {
        $(impl IntoBytes for $data {
            fn into_bytes(self) -> Bytes {
                self.into()
            }
        })*
    };
}

via_into!(Bytes, BytesMut, Vec<u8>, Box<[u8]>, String, &'static str, &'static [u8]);

impl<const N: usize> IntoBytes for &'static [u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::from_static(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_keeps_its_contents() {
        let boxed: Box<[u8]> = Box::new(*b"ab");
        let slice: &'static [u8] = b"ab";
        let all = [
            Bytes::from_static(b"ab").into_bytes(),
            BytesMut::from("ab").into_bytes(),
            vec![b'a', b'b'].into_bytes(),
            boxed.into_bytes(),
            IntoBytes::into_bytes(String::from("ab")),
            "ab".into_bytes(),
            slice.into_bytes(),
            b"ab".into_bytes(),
        ];
        assert!(all.iter().all(|bytes| bytes == "ab"));
    }

    #[test]
    fn a_vector_is_not_copied() {
        let vector = vec![1_u8; 64];
        let address = vector.as_ptr();
        assert_eq!(vector.into_bytes().as_ptr(), address);
    }
}
