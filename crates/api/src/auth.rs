//! Passwords and tokens: hashed slowly, a few at a time, and guessed slowly.
//!
//! A login that does not exist takes as long as one that does, and five wrong
//! passwords from one address make it wait, which the rest of the ward does not feel.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _},
};
use model::{Redacted, Timestamp};
use security::random_bytes;
use tokio::sync::Semaphore;

use crate::{
    limits::{
        HASHES_AT_ONCE, PASSWORD_LEN_MAX, PASSWORD_LEN_MIN, WATCHED_LOGINS_MAX,
        WRONG_PASSWORD_WAIT, WRONG_PASSWORDS_MAX,
    },
    problem::Problem,
};

/// Everything about passwords that is remembered between requests.
#[derive(Debug)]
pub(crate) struct Auth {
    hashing: Arc<Semaphore>,
    watched: Mutex<Watched>,
    /// Links that are being used at this moment, so that two uses of one never both succeed.
    in_use: Mutex<BTreeSet<[u8; 32]>>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            watched: Mutex::default(),
            in_use: Mutex::default(),
        }
    }
}

/// Wrong passwords by login and address.
#[derive(Debug, Default)]
pub(crate) struct Watched(BTreeMap<(String, String), Wrong>);

#[derive(Clone, Copy, Debug)]
struct Wrong {
    count: u32,
    last: Timestamp,
}

impl Watched {
    /// How long this login has to wait from this address; zero for most.
    pub(crate) fn wait(&self, login: &str, address: &str, now: Timestamp) -> Duration {
        let wrong = self.0.get(&(login.to_owned(), address.to_owned()));
        match wrong {
            Some(wrong) if wrong.count >= WRONG_PASSWORDS_MAX => {
                wrong.last.after(WRONG_PASSWORD_WAIT).since(now)
            }
            Some(_) | None => Duration::ZERO,
        }
    }

    /// Counts a wrong password; old counts are forgotten first, then the oldest.
    pub(crate) fn wrong(&mut self, login: &str, address: &str, now: Timestamp) {
        if self.0.len() >= WATCHED_LOGINS_MAX {
            self.0.retain(|_, wrong| now.since(wrong.last) < WRONG_PASSWORD_WAIT);
        }
        if self.0.len() >= WATCHED_LOGINS_MAX
            && let Some(oldest) =
                self.0.iter().min_by_key(|(_, wrong)| wrong.last).map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
        let key = (login.to_owned(), address.to_owned());
        let wrong = self.0.entry(key).or_insert(Wrong { count: 0, last: now });
        if now.since(wrong.last) >= WRONG_PASSWORD_WAIT {
            wrong.count = 0;
        }
        *wrong = Wrong { count: wrong.count.saturating_add(1), last: now };
    }

    /// Forgets what was wrong once the right password came.
    pub(crate) fn right(&mut self, login: &str, address: &str) {
        self.0.remove(&(login.to_owned(), address.to_owned()));
    }
}

/// A link that is being used; nobody else may use it while this lives.
#[derive(Debug)]
pub(crate) struct InUse<'a> {
    auth: &'a Auth,
    token_hash: [u8; 32],
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        lock(&self.auth.in_use).remove(&self.token_hash);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Auth {
    /// The counts of wrong passwords; held only for a moment.
    pub(crate) fn watched(&self) -> MutexGuard<'_, Watched> {
        lock(&self.watched)
    }

    /// Takes a link for one use; `None` while somebody else uses it.
    pub(crate) fn take_link(&self, token_hash: [u8; 32]) -> Option<InUse<'_>> {
        let is_free = lock(&self.in_use).insert(token_hash);
        is_free.then(|| InUse { auth: self, token_hash })
    }

    /// The Argon2id hash of a new password, in PHC form.
    pub(crate) async fn hash(&self, password: &str) -> Result<Redacted<String>, Problem> {
        check_new(password)?;
        let password = password.to_owned();
        self.slowly(move || hash(&password)).await?
    }

    /// Whether the password is the one of the hash; without a hash it takes as long and is not.
    pub(crate) async fn verify(
        &self,
        password: &str,
        hash: Option<&Redacted<String>>,
    ) -> Result<bool, Problem> {
        let (is_known, hash) = (hash.is_some(), hash.map(|hash| hash.0.clone()));
        let password = password.to_owned();
        let compare = move || {
            let hash = hash.map_or_else(decoy, Ok)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok())
        };
        let is_right: Result<bool, Problem> = self.slowly(compare).await?;
        Ok(is_right? && is_known)
    }

    /// Runs a hash on a thread of its own; others wait, so that memory stays bounded. The
    /// place goes with the work: an asker who hangs up leaves it taken until the work is done.
    async fn slowly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.hashing).acquire_owned().await.map_err(Problem::fault)?;
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::fault)
    }
}

fn check_new(password: &str) -> Result<(), Problem> {
    if password.chars().count() < PASSWORD_LEN_MIN {
        return Err(Problem::bad_request(format!(
            "a password has at least {PASSWORD_LEN_MIN} characters"
        )));
    }
    if password.len() > PASSWORD_LEN_MAX {
        return Err(Problem::bad_request(format!(
            "a password has at most {PASSWORD_LEN_MAX} bytes"
        )));
    }
    Ok(())
}

fn hash(password: &str) -> Result<Redacted<String>, Problem> {
    let salt: [u8; 16] = random_bytes().map_err(Problem::fault)?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| Redacted(hash.to_string()))
        .map_err(|_| Problem::fault("a password could not be hashed"))
}

/// A hash of nobody's password.
fn decoy() -> Result<String, Problem> {
    static DECOY: OnceLock<String> = OnceLock::new();
    if let Some(decoy) = DECOY.get() {
        return Ok(decoy.clone());
    }
    let nobodys = token()?;
    Ok(DECOY.get_or_init(|| hash(&nobodys).map(|hash| hash.0).unwrap_or_default()).clone())
}

/// A secret of 32 random bytes, as text that fits into a cookie and an address.
pub(crate) fn token() -> Result<String, Problem> {
    let bytes: [u8; 32] = random_bytes().map_err(Problem::fault)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(second * 1_000)
    }

    #[test]
    fn five_wrong_passwords_make_one_login_at_one_address_wait() {
        let mut watched = Watched::default();
        for second in 0..5 {
            assert_eq!(watched.wait("priya", "10.0.0.1", at(second)), Duration::ZERO);
            watched.wrong("priya", "10.0.0.1", at(second));
        }
        let wait = |watched: &Watched, login, address, second| {
            watched.wait(login, address, at(second)).as_secs()
        };
        assert_eq!(wait(&watched, "priya", "10.0.0.1", 5), 59);
        assert_eq!(wait(&watched, "priya", "10.0.0.2", 5), 0);
        assert_eq!(wait(&watched, "amara", "10.0.0.1", 5), 0);
        assert_eq!(wait(&watched, "priya", "10.0.0.1", 64), 0);
        // A wrong one after the wait begins a new count.
        watched.wrong("priya", "10.0.0.1", at(64));
        assert_eq!(wait(&watched, "priya", "10.0.0.1", 65), 0);
        watched.right("priya", "10.0.0.1");
        assert!(watched.0.is_empty());
    }

    #[test]
    fn a_flood_of_logins_is_forgotten_oldest_first() {
        let mut watched = Watched::default();
        let start = Timestamp::default();
        for login in 0..WATCHED_LOGINS_MAX + 10 {
            watched.wrong(
                &login.to_string(),
                "a",
                start.after(Duration::from_micros(login as u64)),
            );
        }
        assert_eq!(watched.0.len(), WATCHED_LOGINS_MAX);
        assert!(!watched.0.contains_key(&("0".to_owned(), "a".to_owned())));
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let auth = Auth::default();
        let hash = auth.hash("correct horse battery").await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert_eq!(auth.verify("correct horse battery", Some(&hash)).await, Ok(true));
        assert_eq!(auth.verify("correct horse", Some(&hash)).await, Ok(false));
        assert_eq!(auth.verify("correct horse battery", None).await, Ok(false));
        assert_eq!(auth.verify("x", Some(&Redacted("not a hash".to_owned()))).await, Ok(false));
    }

    #[tokio::test]
    async fn a_password_too_short_or_too_long_is_refused() {
        let auth = Auth::default();
        let check = |password: String| {
            let auth = &auth;
            async move { auth.hash(&password).await.map(drop).map_err(|problem| problem.for_caller) }
        };
        assert_eq!(
            check("päßwörter".to_owned()).await,
            Err("a password has at least 10 characters".to_owned())
        );
        assert_eq!(check("päßwörter1".to_owned()).await, Ok(()));
        assert_eq!(check("x".repeat(256)).await, Ok(()));
        assert_eq!(
            check("x".repeat(257)).await,
            Err("a password has at most 256 bytes".to_owned())
        );
    }

    #[test]
    fn a_link_is_used_by_one_at_a_time() {
        let auth = Auth::default();
        let held = auth.take_link([1; 32]);
        assert!(
            held.is_some()
                && auth.take_link([1; 32]).is_none()
                && auth.take_link([2; 32]).is_some()
        );
        drop(held);
        assert!(auth.take_link([1; 32]).is_some());
    }
}
