//! Logins, staff and sessions on a screen.

use engine::Directory;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::session::name_of;

use super::{
    bed::Named,
    words::{Spelt as _, time},
};

/// Login and password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    pub(crate) login: String,
    pub(crate) password: String,
}

/// The password of a login that was invited.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    pub(crate) password: String,
}

/// Whoever is signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Me {
    pub(crate) user: User,
    pub(crate) org: Named,
    pub(crate) care_units: Vec<UnitOfMine>,
    /// The posts that the caller holds now; null without any.
    pub(crate) shift: Option<Shift>,
    pub(crate) product: Product,
}

/// The posts of a member of staff.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Shift {
    pub(crate) beds: Vec<Named>,
    pub(crate) charge_of: Vec<Named>,
}

/// A care unit that may be looked at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnitOfMine {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) site_id: String,
    /// The caller holds a post there.
    pub(crate) mine: bool,
}

/// What this program is, and what it is not.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Product {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) intended_use: &'static str,
    /// Whether nobody here is real.
    pub(crate) demo: bool,
}

/// A login.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    pub(crate) id: String,
    pub(crate) login: String,
    pub(crate) role: &'static str,
    pub(crate) staff_id: Option<String>,
    pub(crate) name: String,
    pub(crate) disabled: bool,
    pub(crate) has_password: bool,
    /// Until when an unused one-time link may be used.
    pub(crate) invited_until: Option<String>,
}

impl User {
    /// The login as known now.
    pub(crate) fn of(it: &model::User, directory: &Directory) -> Self {
        let invitation = directory.invitations.values().find(|link| link.user == it.id);
        Self {
            id: it.id.to_string(),
            login: it.login.clone(),
            role: it.role.word(),
            staff_id: it.staff.map(|staff| staff.to_string()),
            name: name_of(directory, it),
            disabled: it.disabled,
            has_password: it.password_hash.is_some(),
            invited_until: invitation.map(|link| time(link.expires_at)),
        }
    }
}

/// What of a login can be changed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// `nurse`, `charge_nurse`, `physician` or `it`.
    pub(crate) role: Option<String>,
    pub(crate) disabled: Option<bool>,
}

/// What of a member of staff can be changed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStaff {
    pub(crate) name: String,
}

/// By which name an unused one-time link lets in; whose it is is told to nobody yet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invited {
    /// What they type at sign-in.
    pub(crate) login: String,
}

/// A login for a patient.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOwnLogin {
    /// Made of the record number if it is left out.
    pub(crate) login: Option<String>,
}

/// A login to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub(crate) login: String,
    /// `nurse`, `charge_nurse`, `physician` or `it`.
    pub(crate) role: String,
    /// The member of staff whose login it is; a name makes a new one.
    pub(crate) staff_id: Option<String>,
    pub(crate) name: Option<String>,
    /// Where a new member of staff works.
    pub(crate) site_id: Option<String>,
}

/// A new login with the one-time link that sets its password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvitedUser {
    /// The login.
    #[serde(flatten)]
    pub(crate) user: User,
    /// Path of the link; shown once.
    pub(crate) invitation: String,
    pub(crate) expires_at: String,
}

impl InvitedUser {
    /// A login with its link.
    pub(crate) fn new(user: User, token: &str, expires_at: model::Timestamp) -> Self {
        Self { user, invitation: format!("/invite/{token}"), expires_at: time(expires_at) }
    }
}

/// A member of staff.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Staff {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) site_id: String,
    /// What their login may be; null without a login.
    pub(crate) role: Option<&'static str>,
}

impl Staff {
    /// Somebody as known now.
    pub(crate) fn of(it: &model::Staff, directory: &Directory) -> Self {
        Self {
            id: it.id.to_string(),
            name: it.name.0.clone(),
            site_id: it.site.to_string(),
            role: directory.user_of(it.id).map(|user| user.role.word()),
        }
    }
}

/// A member of staff to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStaff {
    pub(crate) name: String,
    pub(crate) site_id: String,
}

/// A one-click sign-in of the demo.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DemoSignIn {
    pub(crate) login: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
}
