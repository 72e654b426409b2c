//! A store that speaks S3, as a place for backups: signed requests, each tried again while the
//! fault may pass, and words for what a person has to mend.

use std::{io, path::PathBuf, thread, time::Duration};

use anyhow::Context as _;
use reqwest::{Response, StatusCode, Url, header};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle, actions::ListObjectsV2};
use store::{BackupPlace, Clock, Stored};
use tokio::{runtime, sync::oneshot};

/// How long the store's door may take to open.
const OPENS_WITHIN: Duration = Duration::from_secs(10);
/// How long one request may take, with a block on a slow line.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// How long a signature holds.
const SIGNED_FOR: Duration = Duration::from_secs(900);
/// How often a request is tried when the fault may pass.
const TRIES: u32 = 4;
/// The pause before the second try; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The most bytes of a page of names, and of what is read of a refusal.
const PAGE_LEN_MAX: u64 = 8 << 20;
/// The most pages of names; each has a thousand.
const PAGES_MAX: usize = 100_000;
/// Stores refuse a signature that is older or newer than fifteen minutes.
const SKEW_MAX: Duration = Duration::from_secs(300);

/// A bucket, and the part of it that backups are in.
#[derive(Debug)]
pub(crate) struct S3Place {
    http: reqwest::Client,
    bucket: Bucket,
    credentials: Credentials,
    /// Empty, or with a `/` at its end.
    prefix: String,
    clock: Clock,
    /// Who carries out requests while a thread waits.
    hands: Hands,
}

/// A thread that carries requests out, for as long as this is there. The program's own runtime is
/// shut down while a backup may still be under way, and whoever waits in it then breaks off.
#[derive(Debug)]
struct Hands {
    runtime: runtime::Handle,
    /// The thread ends when this goes.
    _stays: oneshot::Sender<()>,
}

impl Hands {
    fn begin() -> io::Result<Self> {
        let own = runtime::Builder::new_current_thread().enable_all().build()?;
        let runtime = own.handle().clone();
        let (stays, ends) = oneshot::channel();
        thread::Builder::new().name("s3".to_owned()).spawn(move || own.block_on(ends))?;
        Ok(Self { runtime, _stays: stays })
    }
}

/// Where a bucket is.
pub(crate) struct Address<'a> {
    /// `bucket` or `bucket/prefix`.
    pub(crate) bucket: &'a str,
    /// The store's address; Amazon's if there is none.
    pub(crate) endpoint: Option<&'a str>,
    /// The region that is signed.
    pub(crate) region: Option<&'a str>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
enum S3Error {
    #[error(
        "the store {endpoint} cannot be reached; look after its address, its certificate and the network"
    )]
    Unreachable { endpoint: String, source: reqwest::Error },
    #[error(
        "the store does not know the access key; look after AWS_ACCESS_KEY_ID or the file of credentials"
    )]
    UnknownKey,
    #[error(
        "the secret key does not belong to the access key; look after AWS_SECRET_ACCESS_KEY or the file of credentials"
    )]
    WrongSecret,
    #[error("there is no bucket `{bucket}` in the store; make it, or name another one")]
    NoBucket { bucket: String },
    #[error(
        "the access key may not do this; allow it to list `{bucket}` and to get, put and delete objects in it"
    )]
    Forbidden { bucket: String },
    #[error(
        "this clock and the store's are {seconds} seconds apart, and the store refuses signatures of another time; set the clock"
    )]
    Clock { seconds: u64 },
    #[error(
        "the bucket `{bucket}` is not in the region `{region}`; say which it is in by `region`"
    )]
    Region { bucket: String, region: String },
    #[error("the store answers {status}{code}")]
    Refused { status: StatusCode, code: String },
    #[error("the store's list of names cannot be read: {what}")]
    Names { what: String },
}

/// A fault, and whether another try may go well.
struct Fault {
    passes: bool,
    error: io::Error,
}

impl Fault {
    fn lasting(error: S3Error) -> Self {
        Self { passes: false, error: io::Error::other(error) }
    }
}

/// What is asked of the store.
enum Ask<'a> {
    Get { key: &'a str, most: u64 },
    Put { key: &'a str, bytes: &'a [u8] },
    Delete { key: &'a str },
    Names { prefix: &'a str, after: Option<&'a str>, most: usize },
}

impl S3Place {
    /// A place that is not asked for anything yet.
    pub(crate) fn new(
        address: &Address<'_>,
        credentials: Credentials,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let (name, prefix) = address.bucket.split_once('/').unwrap_or((address.bucket, ""));
        anyhow::ensure!(!name.is_empty(), "name the bucket, as in s3://bucket/prefix");
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let (endpoint, region, style) = match (address.endpoint, address.region) {
            (Some(endpoint), region) => {
                (endpoint.to_owned(), region.unwrap_or("us-east-1"), UrlStyle::Path)
            }
            (None, Some(region)) => {
                (format!("https://s3.{region}.amazonaws.com"), region, UrlStyle::VirtualHost)
            }
            (None, None) => anyhow::bail!("say the endpoint of the store, or Amazon's region"),
        };
        let url: Url = endpoint.parse().with_context(|| format!("{endpoint} is no address"))?;
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        anyhow::ensure!(
            url.scheme() == "https" || (url.scheme() == "http" && is_here),
            "{endpoint} is not https, and whoever listens could delete backups with what he hears"
        );
        let bucket = Bucket::new(url, style, name.to_owned(), region.to_owned());
        let bucket = bucket.map_err(|_| anyhow::anyhow!("`{name}` is no name of a bucket"))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(OPENS_WITHIN)
            .timeout(ANSWERS_WITHIN)
            .build()?;
        Ok(Self { http, bucket, credentials, prefix, clock, hands: Hands::begin()? })
    }

    /// A key that was listed as the name of ours. One that is not below what was asked for is
    /// no name to pass over: it may stand for a note that says who works.
    fn named(&self, listed: Stored, asked: &str) -> io::Result<Stored> {
        let name =
            listed.name.strip_prefix(&self.prefix).filter(|_| listed.name.starts_with(asked));
        let name = name.ok_or_else(|| {
            let short: String = listed.name.chars().take(200).collect();
            let what = format!("`{}` is not below `{asked}`", short.escape_debug());
            io::Error::other(S3Error::Names { what })
        })?;
        Ok(Stored { name: name.to_owned(), len: listed.len })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Asks and waits; a fault that may pass is tried again.
    fn ask(&self, ask: &Ask<'_>) -> io::Result<Vec<u8>> {
        self.hands.runtime.block_on(async {
            let mut pause = PAUSE;
            for _ in 1..TRIES {
                match self.once(ask).await {
                    Err(fault) if fault.passes => {
                        tokio::time::sleep(pause).await;
                        pause = pause.saturating_mul(2);
                    }
                    done => return done.map_err(|fault| fault.error),
                }
            }
            self.once(ask).await.map_err(|fault| fault.error)
        })
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Vec<u8>, Fault> {
        let (bucket, who) = (&self.bucket, Some(&self.credentials));
        let nanos = machine_now(&self.clock);
        let now = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
        let request = match ask {
            Ask::Get { key, .. } => {
                self.http.get(bucket.get_object(who, key).sign_with_time(SIGNED_FOR, &now))
            }
            Ask::Put { key, bytes } => {
                let url = bucket.put_object(who, key).sign_with_time(SIGNED_FOR, &now);
                self.http.put(url).body(bytes.to_vec())
            }
            Ask::Delete { key } => {
                self.http.delete(bucket.delete_object(who, key).sign_with_time(SIGNED_FOR, &now))
            }
            Ask::Names { prefix, after, most } => {
                let mut list = bucket.list_objects_v2(who);
                list.with_prefix(*prefix);
                list.with_max_keys(*most);
                if let Some(after) = after {
                    list.with_continuation_token(*after);
                }
                self.http.get(list.sign_with_time(SIGNED_FOR, &now))
            }
        };
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        if !answer.status().is_success() {
            return Err(self.refusal(answer).await);
        }
        let most = match ask {
            Ask::Get { most, .. } => *most,
            Ask::Put { .. } | Ask::Delete { .. } | Ask::Names { .. } => PAGE_LEN_MAX,
        };
        self.body(answer, most).await
    }

    /// All of a body, which must have no more bytes than this.
    async fn body(&self, mut answer: Response, most: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let mut len = answer.content_length().unwrap_or_default();
        while len <= most {
            match answer.chunk().await.map_err(|error| self.unreachable(error))? {
                None => return Ok(bytes),
                Some(chunk) => bytes.extend_from_slice(&chunk),
            }
            len = len.max(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        let what = format!("it has {len} bytes");
        Err(Fault { passes: false, error: io::Error::new(io::ErrorKind::FileTooLarge, what) })
    }

    fn unreachable(&self, error: reqwest::Error) -> Fault {
        let endpoint = self.bucket.base_url().origin().ascii_serialization();
        // The address of a request has its signature.
        let source = error.without_url();
        Fault { passes: true, error: io::Error::other(S3Error::Unreachable { endpoint, source }) }
    }

    /// What a refusal means.
    async fn refusal(&self, answer: Response) -> Fault {
        let status = answer.status();
        let skew = skew_of(&answer, &self.clock).filter(|skew| *skew > SKEW_MAX);
        let body = self.body(answer, PAGE_LEN_MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code.map_or("", |(code, _)| code);
        let (bucket, region) = (self.bucket.name().to_owned(), self.bucket.region().to_owned());
        let error = match code {
            "NoSuchKey" => {
                return Fault { passes: false, error: io::ErrorKind::NotFound.into() };
            }
            "NoSuchBucket" => S3Error::NoBucket { bucket },
            "InvalidAccessKeyId" | "NotSignedUp" => S3Error::UnknownKey,
            "SignatureDoesNotMatch" => S3Error::WrongSecret,
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "AuthorizationQueryParametersError" => S3Error::Region { bucket, region },
            _ => match (status, skew) {
                (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, Some(skew)) => {
                    S3Error::Clock { seconds: skew.as_secs() }
                }
                (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, None) => {
                    S3Error::Forbidden { bucket }
                }
                _ => {
                    let short = code.chars().filter(char::is_ascii_alphanumeric).take(60);
                    let code: String = short.collect();
                    let code = if code.is_empty() { code } else { format!(" {code}") };
                    let error = io::Error::other(S3Error::Refused { status, code });
                    let is_busy = status == StatusCode::TOO_MANY_REQUESTS
                        || status == StatusCode::REQUEST_TIMEOUT;
                    return Fault { passes: status.is_server_error() || is_busy, error };
                }
            },
        };
        Fault::lasting(error)
    }
}

/// How far the store's clock and ours are apart, as far as it says.
fn skew_of(answer: &Response, clock: &Clock) -> Option<Duration> {
    let said = answer.headers().get(header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(said).ok()?.timestamp();
    let ours = machine_now(clock).checked_div(1_000_000)?;
    Some(Duration::from_millis(theirs.as_millisecond().abs_diff(ours)))
}

/// The machine's own time, in nanoseconds since 1970: ours may still be ahead of it after it was
/// set back, and a store takes no signature of another hour.
fn machine_now(clock: &Clock) -> i64 {
    clock.now().unix_nanos().saturating_add(clock.machine_ahead_ns())
}

impl BackupPlace for S3Place {
    fn address(&self) -> PathBuf {
        format!("s3://{}/{}", self.bucket.name(), self.prefix).trim_end_matches('/').into()
    }

    fn is_unused(&self) -> io::Result<bool> {
        let page = self.ask(&Ask::Names { prefix: &self.prefix, after: None, most: 1 })?;
        Ok(names_of(&page)?.found.is_empty())
    }

    fn get(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        self.ask(&Ask::Get { key: &self.key(name), most })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.ask(&Ask::Put { key: &self.key(name), bytes }).map(drop)
    }

    fn list(&self, part: &str) -> io::Result<Vec<Stored>> {
        let prefix = self.key(&format!("{part}/"));
        let (mut found, mut after) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let page =
                self.ask(&Ask::Names { prefix: &prefix, after: after.as_deref(), most: 1_000 })?;
            let page = names_of(&page)?;
            for it in page.found {
                found.push(self.named(it, &prefix)?);
            }
            match page.next {
                None => return Ok(found),
                next => after = next,
            }
        }
        Err(io::Error::other(S3Error::Names { what: "it does not end".to_owned() }))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        match self.ask(&Ask::Delete { key: &self.key(name) }) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map(drop),
        }
    }

    fn settle(&self, _: &str) -> io::Result<()> {
        // What the store has answered for is there.
        Ok(())
    }
}

/// A page of names.
struct Page {
    /// Its keys with their lengths in bytes.
    found: Vec<Stored>,
    /// Where the next one begins.
    next: Option<String>,
}

fn names_of(page: &[u8]) -> io::Result<Page> {
    let names = |what: String| io::Error::other(S3Error::Names { what });
    let text = std::str::from_utf8(page).map_err(|error| names(error.to_string()))?;
    let page = ListObjectsV2::parse_response(text).map_err(|error| names(error.to_string()))?;
    let mut found = Vec::with_capacity(page.contents.len());
    for it in page.contents {
        let len = it.size.ok_or_else(|| names("a name has no length".to_owned()))?;
        found.push(Stored { name: it.key, len });
    }
    Ok(Page { found, next: page.next_continuation_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(prefix: &str) -> S3Place {
        transport::install_provider();
        let bucket = format!("ward{prefix}");
        // Nobody listens there.
        let endpoint = Some("http://127.0.0.1:1");
        let address = Address { bucket: &bucket, endpoint, region: None };
        S3Place::new(&address, Credentials::new("key", "secret"), Clock::system()).unwrap()
    }

    #[test]
    fn a_request_during_a_shutdown_fails_and_breaks_nothing_off() {
        let program = runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let place = program.block_on(async { place("") });
        program.shutdown_background();
        let error = place.get("KEY", 9).unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{error}");
    }

    #[tokio::test]
    async fn a_place_may_go_wherever_the_program_is() {
        let place = place("");
        let asked = tokio::task::spawn_blocking(move || (place.delete("KEY").is_err(), place));
        let (failed, place) = asked.await.unwrap();
        assert!(failed);
        drop(place);
    }

    #[test]
    fn a_name_that_is_not_below_what_was_asked_for_is_an_error() {
        let place = place("/site/1");
        for (key, name) in [
            ("site/1/work/7-taking", Some("work/7-taking")),
            ("work/7-taking", None),
            ("site%2F1/work/7-taking", None),
            ("site/1/objects/0a", None),
        ] {
            let listed = Stored { name: key.to_owned(), len: 6 };
            let named = place.named(listed, "site/1/work/").map(|it| it.name);
            assert_eq!(named.as_deref().ok(), name, "{key}: {named:?}");
        }
    }
}
