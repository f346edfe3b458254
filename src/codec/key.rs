//! How what names a device or a user is written down.

/// What names a device or a user, written in at most [`MAX_LEN`](Self::MAX_LEN) bytes.
///
/// Implemented for `u16`, `u32`, `u64` and `u128` (least byte first), for arrays of bytes, and with
/// the feature `graph` for `uuid::Uuid` and `graph::Upn`.
///
/// Keys that are equal must be written in equally many bytes, and a key that was written must be
/// read as one that is equal to it.
///
/// ```
/// use runtally::Key;
///
/// /// A building and a door.
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct Door(u8, u16);
///
/// impl Key for Door {
///     const MAX_LEN: usize = 3;
///
///     fn write(&self, bytes: &mut [u8]) -> Option<usize> {
///         let [low, high] = self.1.to_le_bytes();
///         [self.0, low, high].write(bytes)
///     }
///
///     fn read(bytes: &[u8]) -> Option<(Self, usize)> {
///         let ([building, low, high], len) = Key::read(bytes)?;
///         Some((Self(building, u16::from_le_bytes([low, high])), len))
///     }
/// }
///
/// let mut bytes = [0; Door::MAX_LEN];
/// assert_eq!(Door(7, 300).write(&mut bytes), Some(3));
/// assert_eq!(Door::read(&bytes), Some((Door(7, 300), 3)));
/// ```
pub trait Key: Sized {
    /// The most bytes a key takes, at most 255.
    const MAX_LEN: usize;

    /// Writes the key at the start of `bytes` and returns how many it took; `None` if there are too
    /// few, which there are not if there are [`MAX_LEN`](Self::MAX_LEN).
    fn write(&self, bytes: &mut [u8]) -> Option<usize>;

    /// Reads the key at the start of `bytes`, and how many it took; `None` if there is none.
    fn read(bytes: &[u8]) -> Option<(Self, usize)>;
}

impl<const N: usize> Key for [u8; N] {
    const MAX_LEN: usize = N;

    fn write(&self, bytes: &mut [u8]) -> Option<usize> {
        *bytes.first_chunk_mut()? = *self;
        Some(N)
    }

    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        Some((*bytes.first_chunk()?, N))
    }
}

macro_rules! number {
    ($($number:ty)*) => {$(
        impl Key for $number {
            const MAX_LEN: usize = size_of::<Self>();

            fn write(&self, bytes: &mut [u8]) -> Option<usize> {
                self.to_le_bytes().write(bytes)
            }

            fn read(bytes: &[u8]) -> Option<(Self, usize)> {
                Key::read(bytes).map(|(number, len)| (Self::from_le_bytes(number), len))
            }
        }
    )*};
}
number!(u16 u32 u64 u128);

#[cfg(feature = "graph")]
impl Key for uuid::Uuid {
    const MAX_LEN: usize = 16;

    fn write(&self, bytes: &mut [u8]) -> Option<usize> {
        self.as_bytes().write(bytes)
    }

    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        Key::read(bytes).map(|(id, len)| (Self::from_bytes(id), len))
    }
}

/// Its length in one byte, then the name as it is spelled.
#[cfg(feature = "graph")]
impl Key for crate::graph::Upn {
    const MAX_LEN: usize = 1 + Self::MAX_LEN;

    fn write(&self, bytes: &mut [u8]) -> Option<usize> {
        let name = self.as_str().as_bytes();
        let (len, rest) = bytes.split_first_mut()?;
        *len = name.len() as u8;
        rest.get_mut(..name.len())?.copy_from_slice(name);
        Some(1usize.saturating_add(name.len()))
    }

    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&len, rest) = bytes.split_first()?;
        let name = core::str::from_utf8(rest.get(..len.into())?).ok()?;
        Some((Self::stored(name)?, 1usize.saturating_add(name.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    fn comes_back<K: Key + PartialEq + core::fmt::Debug>(key: &K, len: usize) {
        let mut bytes = std::vec![0xAA; K::MAX_LEN + 3];
        assert!(len <= K::MAX_LEN);
        assert_eq!(key.write(&mut bytes), Some(len));
        assert_eq!(bytes[len..], std::vec![0xAA; K::MAX_LEN + 3 - len]);
        let (read, read_len) = K::read(&bytes).unwrap();
        assert_eq!((&read, read_len), (key, len));
        for short in 0..len {
            assert_eq!(key.write(&mut std::vec![0; short]), None, "{short} bytes");
            assert_eq!(K::read(&bytes[..short]), None, "{short} bytes");
        }
    }

    #[test]
    fn keys_come_back() {
        comes_back(&0x0102_u16, 2);
        comes_back(&0x0102_0304_u32, 4);
        comes_back(&0x0102_0304_0506_0708_u64, 8);
        comes_back(&(0x0102_u128 << 112), 16);
        comes_back(&[1, 2, 3], 3);
        #[cfg(feature = "graph")]
        {
            use crate::graph::Upn;
            comes_back(&uuid::Uuid::from_u128(0x0102 << 112), 16);
            comes_back(&Upn::try_from("Čeněk@example.com").unwrap(), 1 + 19);
            comes_back(&Upn::try_from(&*["n"; Upn::MAX_LEN].concat()).unwrap(), 1 + Upn::MAX_LEN);
            // It compares without regard to case, but is kept as it is spelled.
            let (upn, _) = Upn::read(b"\x03AdA").unwrap();
            assert_eq!(upn.as_str(), "AdA");
            assert_eq!(Upn::read(b"\x00"), None);
            assert_eq!(Upn::read(b"\x02\xff\xff"), None);
        }
    }
}
