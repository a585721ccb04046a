//! `str` with lone surrogates: file names on POSIX can have them.

use super::ValueError;

/// A Python `str` with lone surrogates, as WTF-8: UTF-8 with each surrogate encoded as if it were a character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SurrogateString(Vec<u8>);

impl SurrogateString {
    /// A string from its WTF-8 bytes.
    ///
    /// # Errors
    /// If they are none.
    pub fn from_wtf8(bytes: Vec<u8>) -> Result<SurrogateString, ValueError> {
        let mut rest = bytes.as_slice();
        // What UTF-8 refuses may only be surrogates: ED A0 80 to ED BF BF.
        while let Err(error) = std::str::from_utf8(rest) {
            match &rest[error.valid_up_to()..] {
                [0xed, 0xa0..=0xbf, 0x80..=0xbf, after @ ..] => rest = after,
                wrong => {
                    let at = bytes.len() - wrong.len();
                    return Err(ValueError::new(format!("a surrogate string is not WTF-8 at byte {at}")));
                }
            }
        }
        Ok(SurrogateString(bytes))
    }

    /// Its WTF-8 bytes.
    pub fn as_wtf8(&self) -> &[u8] {
        &self.0
    }

    /// Its text, with U+FFFD for what is no character.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    pub(super) fn into_wtf8(self) -> Vec<u8> {
        self.0
    }

    /// A plain string if there is no surrogate in it, as it is in Python.
    pub(super) fn into_plain(self) -> Result<String, SurrogateString> {
        String::from_utf8(self.0).map_err(|error| SurrogateString(error.into_bytes()))
    }
}
