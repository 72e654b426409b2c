//! The first start: an organization, and one link that makes its administrator.

use engine::{EngineHandle, Refusal};
use model::{Org, OrgId, Role, User, UserId};
use record::{Actor, Body, Command, Wish};
use security::{KeysError, random_bytes, random_u128, sha256};
use store::{AppendError, Clock, Journal};

use crate::{command::entry, limits::INVITATION_LASTS};

/// The login of the first administrator.
const ADMINISTRATOR: &str = "admin";

/// What a start found or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstStart {
    /// The organization of this installation.
    pub org: OrgId,
    /// Path of the one-time link that makes the administrator; `None` once somebody
    /// can sign in who may invite others.
    pub invitation: Option<String>,
}

/// Why a first start did not succeed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum FirstStartError {
    #[error("the first organization and its administrator could not be recorded")]
    NotRecorded(#[source] AppendError),
    #[error("the first organization or its administrator was not accepted")]
    Refused(#[source] Refusal),
    #[error("no secret could be made for the administrator's link")]
    Keys(#[source] KeysError),
}

/// Makes sure that there is an organization, and a way for its administrator to come in.
///
/// While no administrator has a password each start gives a new link, so that a lost
/// one locks nobody out.
pub async fn first_start(
    clock: &Clock,
    journal: &Journal,
    engine: &EngineHandle,
    organization: &str,
) -> Result<FirstStart, FirstStartError> {
    let ask = async |org: OrgId, wish: Wish| {
        let body = Body::Command(Command { actor: Actor::System, wish });
        let entry = entry(org, org.into(), clock.now(), &body);
        let durable = journal.append(vec![entry]).await.map_err(FirstStartError::NotRecorded)?;
        engine.outcome(&durable).await.map_err(FirstStartError::Refused)
    };
    let random = || random_u128().map_err(FirstStartError::Keys);
    let directory = engine.directory();
    let org = match directory.orgs.keys().next() {
        Some(org) => *org,
        None => {
            let org = OrgId::v7(clock.now(), random()?);
            ask(org, Wish::PutOrg(Org { id: org, name: organization.to_owned() })).await?;
            org
        }
    };
    let can_enter =
        |user: &User| user.role == Role::It && !user.disabled && user.password_hash.is_some();
    if directory.users.values().any(can_enter) {
        return Ok(FirstStart { org, invitation: None });
    }
    let user = match directory.user_by_login(org, ADMINISTRATOR) {
        Some(user) => user.id,
        None => {
            let id = UserId::v7(clock.now(), random()?);
            let login = ADMINISTRATOR.to_owned();
            let user = User {
                id,
                org,
                login,
                role: Role::It,
                staff: None,
                password_hash: None,
                patient: None,
                disabled: false,
            };
            ask(org, Wish::PutUser(user)).await?;
            id
        }
    };
    let secret: [u8; 32] = random_bytes().map_err(FirstStartError::Keys)?;
    let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let expires_at = clock.now().after(INVITATION_LASTS);
    ask(org, Wish::Invite { user, token_hash: sha256(token.as_bytes()), expires_at }).await?;
    Ok(FirstStart { org, invitation: Some(format!("/invite/{token}")) })
}
