//! Encryption at rest: XChaCha20-Poly1305, by a key from a file or from the environment.

use std::fmt;
use std::path::Path;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::codec::{Place, SEALED};

const NONCE: usize = 24;

/// The key of a store. It is shown nowhere, and wiped where it goes.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

/// Closes what goes to disk, and opens what comes from there.
#[derive(Clone)]
pub(crate) struct Seal(Option<XChaCha20Poly1305>);

/// Why something cannot be opened, or closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No key, where one is needed.
    #[error("the store is sealed, and no key was given; name the one it was sealed with in `memory.sealed_by`")]
    NoKey,
    /// It has no seal, where all must have one.
    #[error(
        "the store is sealed and this is not sealed, so whoever has no key may have put it there; open the store as it was without `memory.sealed_by`, export it, and import that into a sealed one"
    )]
    Unsealed,
    /// It is of another key, or was tampered with.
    #[error(
        "the key is not the one the store was sealed with, or what it sealed was changed; name the right key in `memory.sealed_by`, or restore a backup"
    )]
    WrongKey,
    /// The key is not one.
    #[error(
        "the key from {place} is no key: {fault}; give 64 hexadecimal digits, or name another key in `memory.sealed_by`"
    )]
    Key {
        /// Where it came from.
        place: String,
        /// What is wrong with it, without a word of it.
        fault: String,
    },
    /// The machine gives no random numbers.
    #[error("the machine gives no random numbers: {fault}; nothing is written that would have to be sealed")]
    Chance {
        /// Why.
        fault: String,
    },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Seal(…)" } else { "Seal(none)" })
    }
}

impl Secret {
    #[cfg(test)]
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// From a file of 64 hexadecimal digits.
    pub fn from_file(path: &Path) -> Result<Self, SealError> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|fault| key_fault(&place, &fault.to_string()))?;
        Self::from_hex(&text, &place)
    }

    /// From a variable of the environment, in the same form.
    pub fn from_env(variable: &str) -> Result<Self, SealError> {
        let text = std::env::var(variable).map(Zeroizing::new);
        let text = text.map_err(|_| key_fault(variable, "it is not set"))?;
        Self::from_hex(&text, variable)
    }

    fn from_hex(text: &str, place: &str) -> Result<Self, SealError> {
        let digits = text.trim().as_bytes();
        let mut bytes = Zeroizing::new([0; 32]);
        if digits.len() != bytes.len() * 2 {
            return Err(key_fault(place, &format!("it has {} characters", digits.len())));
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'));
            *byte = pair
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| key_fault(place, "it has characters that are no hexadecimal digits"))?;
        }
        Ok(Self(bytes))
    }
}

fn key_fault(place: &str, fault: &str) -> SealError {
    SealError::Key {
        place: place.to_owned(),
        fault: fault.to_owned(),
    }
}

impl Seal {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn with(secret: &Secret) -> Self {
        Self(Some(XChaCha20Poly1305::new(&CipherKey::from(*secret.0))))
    }

    /// Whether there is a key, so that nothing is believed without its seal.
    pub(crate) const fn has_key(&self) -> bool {
        self.0.is_some()
    }

    /// Seals, or leaves as it is where there is no key.
    pub(crate) fn close(&self, plain: Vec<u8>, place: Place) -> Result<Vec<u8>, SealError> {
        let Some(cipher) = &self.0 else { return Ok(plain) };
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|fault| SealError::Chance {
            fault: fault.to_string(),
        })?;
        let mut body = plain;
        let sealed = cipher.encrypt_in_place(&XNonce::from(nonce), &bound(place), &mut body);
        sealed.map_err(|fault| SealError::Chance {
            fault: fault.to_string(),
        })?;
        Ok([&[SEALED][..], &nonce, &body].concat())
    }

    /// Opens what was sealed for that place.
    pub(crate) fn open(&self, bytes: &[u8], place: Place) -> Result<Vec<u8>, SealError> {
        let cipher = self.0.as_ref().ok_or(SealError::NoKey)?;
        let nonce = bytes
            .get(1..=NONCE)
            .and_then(|nonce| <[u8; NONCE]>::try_from(nonce).ok());
        let nonce = nonce.ok_or(SealError::WrongKey)?;
        let mut body = bytes.get(1 + NONCE..).unwrap_or_default().to_vec();
        let opened = cipher.decrypt_in_place(&XNonce::from(nonce), &bound(place), &mut body);
        opened.map_err(|_| SealError::WrongKey)?;
        Ok(body)
    }
}

/// What a seal is bound to beside the key.
fn bound(place: Place) -> [u8; 9] {
    let (kind, number) = match place {
        Place::Journal => (b'j', 0),
        Place::File(number) => (b'f', number),
    };
    let mut bound = [kind; 9];
    bound[1..].copy_from_slice(&number.to_le_bytes());
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_faults_do_not_tell_it() {
        let right = "0123456789abcdefABCDEF00112233445566778899aabbccddeeff0011223344";
        let secret = Secret::from_hex(&format!("{right}\n"), "here").unwrap();
        assert_eq!((secret.0[0], secret.0[31]), (0x01, 0x44));
        assert_eq!(format!("{secret:?} {:?}", Seal::with(&secret)), "Secret(…) Seal(…)");
        for wrong in [
            "",
            &right[1..],
            &format!("{}g", &right[1..]),
            &format!("+{}", &right[1..]),
        ] {
            let fault = Secret::from_hex(wrong, "here").unwrap_err().to_string();
            assert!(
                fault.starts_with("the key from here is no key") && !fault.contains("89abcdef"),
                "{fault}"
            );
        }
    }

    #[test]
    fn the_same_is_sealed_otherwise_each_time() {
        let seal = Seal::with(&Secret::of([1; 32]));
        let close = || seal.close(b"\x01same".to_vec(), Place::Journal).unwrap();
        let (one, other) = (close(), close());
        assert_ne!(one, other);
        assert_eq!(seal.open(&one, Place::Journal).unwrap(), b"\x01same");
        let mut bent = other;
        *bent.last_mut().unwrap() ^= 1;
        assert_eq!(seal.open(&bent, Place::Journal), Err(SealError::WrongKey));
        assert_eq!(seal.open(&one[..20], Place::Journal), Err(SealError::WrongKey));
    }

    #[test]
    fn a_key_that_is_nowhere_is_told_by_its_place() {
        let fault = Secret::from_env("TRIARCH_NO_SUCH_KEY").unwrap_err().to_string();
        assert_eq!(
            fault,
            "the key from TRIARCH_NO_SUCH_KEY is no key: it is not set; give 64 hexadecimal digits, or name another key in `memory.sealed_by`"
        );
        assert!(matches!(
            Secret::from_file(Path::new("no/such/file")),
            Err(SealError::Key { .. })
        ));
    }
}
