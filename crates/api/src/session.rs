//! Sessions: a random token in a cookie that scripts cannot read, its hash in the journal.

use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, HeaderValue, header};
use model::User;
use record::{Actor, AuditEntry, Session, Wish};
use security::sha256;
use store::Ticket;

use crate::{
    Api,
    auth::token,
    command::{new_id, not_appended},
    guard::COOKIE,
    limits::SESSION_LASTS,
    problem::Problem,
};

impl Api {
    /// Opens a session for a user who proved to be it; the answer carries the cookie.
    pub(crate) async fn open_session(
        &self,
        user: &User,
        remote: &str,
        way: &str,
    ) -> Result<HeaderMap, Problem> {
        let at = self.clock.now();
        let token = token()?;
        let session = Session {
            id: new_id(at)?,
            user: user.id,
            token_hash: sha256(token.as_bytes()),
            opened_at: at,
            expires_at: at.after(SESSION_LASTS),
        };
        self.ask_as(Actor::User(user.id), user.org, user.org.into(), Wish::OpenSession(session))
            .await?;
        self.note_sign_in(user, remote, way, true).await.map_err(not_appended)?;
        self.counts.sign_ins.fetch_add(1, Ordering::Relaxed);
        self.cookie(&token, SESSION_LASTS.as_secs())
    }

    /// Hands the trace of a sign-in that succeeded or did not to the journal.
    pub(crate) fn note_sign_in(
        &self,
        user: &User,
        remote: &str,
        way: &str,
        allowed: bool,
    ) -> Ticket {
        let entry = AuditEntry {
            actor: Actor::User(user.id),
            action: "session.open".to_owned(),
            patient: None,
            resource: "POST /api/v1/session".to_owned(),
            allowed,
            rule: way.to_owned(),
            remote: remote.to_owned(),
        };
        self.audit(user.org, self.clock.now(), entry)
    }

    /// The header that gives the browser its token, or takes it away with an age of 0.
    pub(crate) fn cookie(&self, token: &str, age_s: u64) -> Result<HeaderMap, Problem> {
        let secure = if self.config.secure_cookies { "; Secure" } else { "" };
        let cookie =
            format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}");
        let value = HeaderValue::try_from(cookie).map_err(Problem::fault)?;
        Ok(HeaderMap::from_iter([(header::SET_COOKIE, value)]))
    }
}
