//! Logins and staff.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use model::{Redacted, Role, SiteId, Staff, StaffId, User, UserId};
use record::Wish;
use security::{Action, sha256};

use crate::{
    Api,
    auth::token,
    command::new_id,
    dto::{
        people::{self, ChangeStaff, ChangeUser, InvitedUser, NewOwnLogin, NewStaff, NewUser},
        words::Spelt as _,
    },
    extract::{Asked, Given, Named},
    guard::{Caller, parse, patient_resource},
    limits::INVITATION_LASTS,
    paging::{Page, PageQuery},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let org = |action| Access::Permitted(action, Scope::Org);
    vec![
        Route::new(Method::GET, "/users", org(Action::ReadUsers), "Logins", users)
            .lists::<people::User>(),
        Route::new(
            Method::POST,
            "/users",
            org(Action::WriteUsers),
            "Adds a login; the answer has its one-time link",
            add_user,
        )
        .takes::<NewUser>()
        .answers::<InvitedUser>()
        .status(201),
        Route::new(
            Method::GET,
            "/staff",
            org(Action::ReadStaff),
            "The people who work here",
            staff,
        )
        .lists::<people::Staff>(),
        Route::new(
            Method::POST,
            "/staff",
            org(Action::WriteStaff),
            "Adds a member of staff",
            add_staff,
        )
        .takes::<NewStaff>()
        .answers::<people::Staff>()
        .status(201),
        Route::new(
            Method::PUT,
            "/staff/{id}",
            org(Action::WriteStaff),
            "Changes a member of staff's name",
            change_staff,
        )
        .takes::<ChangeStaff>()
        .answers::<people::Staff>(),
        Route::new(
            Method::PUT,
            "/users/{id}",
            org(Action::WriteUsers),
            "Changes what a login may be, or shuts it",
            change_user,
        )
        .takes::<ChangeUser>()
        .answers::<people::User>(),
        Route::new(
            Method::POST,
            "/users/{id}/invitation",
            org(Action::WriteUsers),
            "Makes a new one-time link; older ones are worth nothing then",
            invite_again,
        )
        .answers::<InvitedUser>()
        .status(201),
        Route::new(
            Method::POST,
            "/patients/{id}/login",
            Access::Permitted(Action::InvitePatient, Scope::Patient),
            "Gives a patient a login of their own, or a new one-time link for it",
            invite_patient,
        )
        .takes::<NewOwnLogin>()
        .answers::<InvitedUser>()
        .status(201),
    ]
}

async fn users(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<people::User>>, Problem> {
    let directory = api.engine.directory();
    let mut own: Vec<&User> =
        directory.users.values().filter(|user| user.org == caller.who.org).collect();
    own.sort_by(|a, b| a.login.cmp(&b.login));
    page.cut(own.into_iter().map(|user| people::User::of(user, &directory))).map(Json)
}

async fn add_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewUser>,
) -> Result<(StatusCode, Json<InvitedUser>), Problem> {
    let role = Role::read(&given.role)?;
    if matches!(role, Role::Patient | Role::Family) {
        return Err(Problem::bad_request(
            "a patient is invited on their page, by those who care for them",
        ));
    }
    let login = given.login.trim().to_lowercase();
    let org = caller.who.org;
    let known = given.staff_id.as_deref().map(parse).transpose()?;
    // Refused before a member of staff is made who would have no login.
    if api.engine.directory().user_by_login(org, &login).is_some() {
        return Err(Problem::conflict("this login is taken"));
    }
    let staff = match (known, &given.name, given.site_id.as_deref()) {
        (Some(staff), _, _) => Some(staff),
        (None, Some(name), Some(site)) => {
            Some(put_staff(&api, &caller, name, parse(site)?).await?.id)
        }
        (None, Some(_), None) => {
            let words = "a name makes a new member of staff, who needs a site_id; or give the staff_id of one who is here";
            return Err(Problem::bad_request(words));
        }
        (None, None, _) => None,
    };
    if staff.is_none() && role != Role::It {
        return Err(Problem::bad_request(
            "staff_id is missing; those who care for patients have a name",
        ));
    }
    let user = User {
        id: new_id(caller.at)?,
        org,
        login,
        role,
        staff,
        password_hash: None,
        patient: None,
        disabled: false,
    };
    api.ask(&caller, Wish::PutUser(user.clone())).await?;
    invite(&api, &caller, &user).await
}

type Invited = Result<(StatusCode, Json<InvitedUser>), Problem>;

/// Makes a one-time link for a login; only its hash is kept.
async fn invite(api: &Api, caller: &Caller, user: &User) -> Invited {
    let (token, expires_at) = (token()?, caller.at.after(INVITATION_LASTS));
    let wish = Wish::Invite { user: user.id, token_hash: sha256(token.as_bytes()), expires_at };
    api.ask(caller, wish).await?;
    let answer = people::User::of(user, &api.engine.directory());
    Ok((StatusCode::CREATED, Json(InvitedUser::new(answer, &token, expires_at))))
}

fn find_user(api: &Api, caller: &Caller, id: &str) -> Result<User, Problem> {
    let id: UserId = parse(id)?;
    let found = api.engine.directory().users.get(&id).cloned();
    let own = found.filter(|user| user.org == caller.who.org);
    own.ok_or_else(|| Problem::not_found("there is no such login"))
}

async fn change_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<ChangeUser>,
) -> Result<Json<people::User>, Problem> {
    let user = find_user(&api, &caller, &id)?;
    let role = given.role.as_deref().map_or(Ok(user.role), Role::read)?;
    if user.id == caller.who.user && (given.disabled == Some(true) || role != user.role) {
        return Err(Problem::conflict("nobody shuts or changes the login that they are using"));
    }
    if user.staff.is_none() && !matches!(role, Role::It | Role::Patient | Role::Family) {
        return Err(Problem::bad_request("those who care for patients have a name"));
    }
    let disabled = given.disabled.unwrap_or(user.disabled);
    let user = User { role, disabled, ..user };
    api.ask(&caller, Wish::PutUser(user.clone())).await?;
    Ok(Json(people::User::of(&user, &api.engine.directory())))
}

async fn invite_again(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Invited {
    let user = find_user(&api, &caller, &id)?;
    // Whoever holds a patient's link can become the patient: the policy of that patient decides.
    if let Some(patient) = user.patient {
        let resource = patient_resource(&api.engine.directory(), patient)?;
        let path = format!("POST /api/v1/users/{id}/invitation");
        api.permit_also(&caller, Action::InvitePatient, resource, path).await?;
    }
    if user.disabled {
        return Err(Problem::conflict("this login is shut; open it first"));
    }
    invite(&api, &caller, &user).await
}

async fn invite_patient(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewOwnLogin>,
) -> Invited {
    let patient = caller.patient()?;
    let directory = api.engine.directory();
    if let Some(user) = directory.user_of_patient(patient) {
        return invite(&api, &caller, user).await;
    }
    let found = directory.patients.get(&patient);
    let found = found.ok_or_else(|| Problem::not_found("there is no such patient"))?;
    let plain: String =
        found.record_number.0.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let login = given.login.unwrap_or(plain).trim().to_lowercase();
    let user = User {
        id: new_id(caller.at)?,
        org: caller.who.org,
        login,
        role: Role::Patient,
        staff: None,
        patient: Some(patient),
        password_hash: None,
        disabled: false,
    };
    api.ask(&caller, Wish::PutUser(user.clone())).await?;
    invite(&api, &caller, &user).await
}

async fn change_staff(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<ChangeStaff>,
) -> Result<Json<people::Staff>, Problem> {
    let id: StaffId = parse(&id)?;
    let found = api.engine.directory().staff.get(&id).cloned();
    let found = found.filter(|staff| staff.org == caller.who.org);
    let found = found.ok_or_else(|| Problem::not_found("there is no such member of staff"))?;
    let staff = Staff { name: Redacted(given.name.trim().to_owned()), ..found };
    api.ask(&caller, Wish::PutStaff(staff.clone())).await?;
    Ok(Json(people::Staff::of(&staff, &api.engine.directory())))
}

async fn staff(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<people::Staff>>, Problem> {
    let directory = api.engine.directory();
    let mut own: Vec<&Staff> =
        directory.staff.values().filter(|staff| staff.org == caller.who.org).collect();
    own.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    page.cut(own.into_iter().map(|staff| people::Staff::of(staff, &directory))).map(Json)
}

async fn put_staff(api: &Api, caller: &Caller, name: &str, site: SiteId) -> Result<Staff, Problem> {
    let id: StaffId = new_id(caller.at)?;
    let staff = Staff { id, org: caller.who.org, site, name: Redacted(name.trim().to_owned()) };
    api.ask(caller, Wish::PutStaff(staff.clone())).await?;
    Ok(staff)
}

async fn add_staff(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewStaff>,
) -> Result<(StatusCode, Json<people::Staff>), Problem> {
    let staff = put_staff(&api, &caller, &given.name, parse(&given.site_id)?).await?;
    Ok((StatusCode::CREATED, Json(people::Staff::of(&staff, &api.engine.directory()))))
}
