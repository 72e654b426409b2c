//! Signing in and out, one-time links, and who is here.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, Method, StatusCode},
};
use engine::Directory;
use model::{Post, User};
use record::{Actor, Wish};
use security::{SHARED, sha256};

use crate::{
    Api,
    dto::{
        alarm::Person,
        bed::Named,
        people::{self, DemoSignIn, Invited, Me, NewPassword, Product, Shift, SignIn, UnitOfMine},
        words::Spelt as _,
    },
    extract::{self, Given},
    guard::{Caller, Remote, units_of},
    limits::{LOGIN_LEN_MAX, PASSWORD_LEN_MAX},
    paging::Page,
    problem::Problem,
    routes::{Access, Route},
};

/// What every screen says of the program.
const INTENDED_USE: &str =
    "Wardline is not a certified medical device. Do not rely on it for care.";

pub(crate) fn routes() -> Vec<Route> {
    let everybody = Access::Public("whoever signs in is not signed in yet");
    let link = Access::Public("the link itself is the secret");
    let demo = Access::Public("exists only in the demo, whose people are made up");
    vec![
        Route::new(
            Method::POST,
            "/session",
            everybody,
            "Signs in; the session is a cookie",
            sign_in,
        )
        .takes::<SignIn>()
        .status(204),
        Route::new(Method::GET, "/session", Access::SignedIn, "Who is signed in", me)
            .answers::<Me>(),
        Route::new(Method::DELETE, "/session", Access::SignedIn, "Signs out", sign_out).status(204),
        Route::new(
            Method::GET,
            "/invitations/{token}",
            link,
            "By which name a one-time link lets in; looking does not use it",
            invited,
        )
        .answers::<Invited>(),
        Route::new(
            Method::POST,
            "/invitations/{token}",
            link,
            "Uses a one-time link: sets the password and signs in",
            accept,
        )
        .takes::<NewPassword>()
        .status(204),
        Route::new(
            Method::GET,
            "/demo-sign-ins",
            demo,
            "Whom one may be in the demo",
            demo_sign_ins,
        )
        .lists::<DemoSignIn>(),
        Route::new(
            Method::POST,
            "/demo-sign-in/{login}",
            demo,
            "Signs in to the demo with one click",
            demo_sign_in,
        )
        .status(204),
    ]
}

type Entered = Result<(StatusCode, HeaderMap), Problem>;

async fn sign_in(
    State(api): State<Arc<Api>>,
    remote: Remote,
    Given(given): Given<SignIn>,
) -> Entered {
    // Refused before anything is counted or hashed: nobody's login is that long.
    if given.login.len() > LOGIN_LEN_MAX || given.password.len() > PASSWORD_LEN_MAX {
        return Err(Problem::bad_request(format!(
            "a login has at most {LOGIN_LEN_MAX} bytes and a password {PASSWORD_LEN_MAX}"
        )));
    }
    let login = given.login.trim().to_lowercase();
    let wait = api.auth.watched().wait(&login, remote.address(), api.clock.now());
    if !wait.is_zero() {
        let words = format!("too many wrong passwords; try again in {} s", wait.as_secs().max(1));
        return Err(Problem::slow_down(words));
    }
    let directory = api.engine.directory();
    // A login is unique in an organization; an installation for several asks each of them.
    let found: Vec<&User> = directory
        .users_by_login(&login)
        .filter(|user| !user.disabled || is_over(&directory, user))
        .collect();
    if found.is_empty() {
        api.auth.verify(&given.password, None).await?;
    }
    for user in &found {
        if api.auth.verify(&given.password, user.password_hash.as_ref()).await? {
            api.auth.watched().right(&login, remote.address());
            if user.disabled {
                drop(api.note_sign_in(user, &remote.0, SHARED, false));
                return Err(Problem::share_over("nothing is shared with you any more"));
            }
            let cookie = api.open_session(user, &remote.0, "password").await?;
            return Ok((StatusCode::NO_CONTENT, cookie));
        }
    }
    api.auth.watched().wrong(&login, remote.address(), api.clock.now());
    api.counts.sign_ins_refused.fetch_add(1, Ordering::Relaxed);
    for user in found {
        // Not awaited: the time of a sync would tell that the login exists.
        drop(api.note_sign_in(user, &remote.0, "wrong password", false));
    }
    Err(Problem::signed_out("the login or the password is wrong"))
}

/// Whether this was the login of somebody with whom a patient shares no more: whoever has its
/// password is told so, and nobody else.
fn is_over(directory: &Directory, user: &User) -> bool {
    directory.shares.get(&user.id).is_some_and(|share| share.ended_at.is_some())
}

async fn sign_out(State(api): State<Arc<Api>>, caller: Caller) -> Entered {
    api.ask(&caller, Wish::CloseSession(caller.session)).await?;
    Ok((StatusCode::NO_CONTENT, api.cookie("", 0)?))
}

fn used() -> Problem {
    // Nothing is kept of a spent link that would tell whose it was; each is told who helps.
    Problem::not_found(
        "this link was used, is too old or was taken back; ask hospital IT for a new one, or the \
         patient who shares their page with you",
    )
}

async fn invited(
    State(api): State<Arc<Api>>,
    extract::Named(token): extract::Named<String>,
) -> Result<Json<Invited>, Problem> {
    let directory = api.engine.directory();
    let user = directory.invitation(&sha256(token.as_bytes()), api.clock.now()).ok_or_else(used)?;
    // Nobody is signed in yet, so no look could be recorded: no more than what they will type.
    Ok(Json(Invited { login: user.login.clone() }))
}

async fn accept(
    State(api): State<Arc<Api>>,
    extract::Named(token): extract::Named<String>,
    remote: Remote,
    Given(given): Given<NewPassword>,
) -> Entered {
    let token_hash = sha256(token.as_bytes());
    let _in_use = api.auth.take_link(token_hash).ok_or_else(used)?;
    let directory = api.engine.directory();
    let user = directory.invitation(&token_hash, api.clock.now()).ok_or_else(used)?;
    let password_hash = api.auth.hash(&given.password).await?;
    let wish = Wish::SetPassword { user: user.id, password_hash };
    api.ask_as(Actor::User(user.id), user.org, user.org.into(), wish).await?;
    let cookie = api.open_session(user, &remote.0, "one-time link").await?;
    Ok((StatusCode::NO_CONTENT, cookie))
}

fn only_in_the_demo(api: &Api) -> Result<(), Problem> {
    if api.config.demo { Ok(()) } else { Err(Problem::not_found("there is no such address")) }
}

async fn demo_sign_ins(State(api): State<Arc<Api>>) -> Result<Json<Page<DemoSignIn>>, Problem> {
    only_in_the_demo(&api)?;
    let directory = api.engine.directory();
    let mut users: Vec<&User> = directory.users.values().filter(|user| !user.disabled).collect();
    users.sort_by_key(|user| (user.role, user.id));
    let items = users.into_iter().map(|user| DemoSignIn {
        login: user.login.clone(),
        name: name_of(&directory, user),
        role: user.role.word(),
    });
    Ok(Json(Page { items: items.collect(), next: None }))
}

async fn demo_sign_in(
    State(api): State<Arc<Api>>,
    extract::Named(login): extract::Named<String>,
    remote: Remote,
) -> Entered {
    only_in_the_demo(&api)?;
    let directory = api.engine.directory();
    let user = directory.users_by_login(&login).find(|user| !user.disabled);
    let user = user.ok_or_else(|| Problem::not_found("nobody has this login"))?;
    Ok((StatusCode::NO_CONTENT, api.open_session(user, &remote.0, "demo").await?))
}

/// What a person is called; a login without a member of staff is called by itself.
pub(crate) fn name_of(directory: &Directory, user: &User) -> String {
    if let Some(state) = directory.shares.get(&user.id) {
        return state.share.name.0.clone();
    }
    let patient = user.patient.and_then(|patient| directory.patients.get(&patient));
    if let Some(patient) = patient {
        return format!("{} {}", patient.given_name.0, patient.family_name.0).trim().to_owned();
    }
    user.staff.map_or_else(|| user.login.clone(), |staff| Person::of(directory, staff).name)
}

async fn me(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Me>, Problem> {
    let directory = api.engine.directory();
    let user = directory
        .users
        .get(&caller.who.user)
        .ok_or_else(|| Problem::signed_out("sign in first"))?;
    let org = directory.orgs.get(&user.org).map_or_else(String::new, |org| org.name.clone());
    let mine = user.staff.map(|staff| units_of(&directory, staff)).unwrap_or_default();
    // A patient has no ward to choose.
    let own = directory.care_units.values().filter(|unit| {
        user.patient.is_none() && directory.org_of_site(unit.site) == Some(user.org)
    });
    let mut care_units: Vec<UnitOfMine> = own
        .map(|unit| UnitOfMine {
            id: unit.id.to_string(),
            name: unit.name.clone(),
            site_id: unit.site.to_string(),
            mine: mine.contains(&unit.id),
        })
        .collect();
    care_units.sort_by(|a, b| (!a.mine, &a.name, &a.id).cmp(&(!b.mine, &b.name, &b.id)));
    Ok(Json(Me {
        user: people::User::of(user, &directory),
        org: Named { id: user.org.to_string(), name: org },
        care_units,
        shift: shift(&directory, user),
        product: Product {
            name: "Wardline",
            version: api.config.version,
            intended_use: INTENDED_USE,
            demo: api.config.demo,
        },
    }))
}

/// The posts that a person holds now, if any.
fn shift(directory: &Directory, user: &User) -> Option<Shift> {
    let staff = user.staff?;
    let held =
        directory.assignments.keys().filter(|post| directory.holder_of(**post) == Some(staff));
    let (mut beds, mut charge_of) = (Vec::new(), Vec::new());
    for post in held {
        match post {
            Post::Bed(id) => beds.extend(
                directory
                    .beds
                    .get(id)
                    .map(|bed| Named { id: id.to_string(), name: bed.name.clone() }),
            ),
            Post::Charge(id) => {
                charge_of.extend(
                    directory
                        .care_units
                        .get(id)
                        .map(|it| Named { id: id.to_string(), name: it.name.clone() }),
                );
            }
        }
    }
    beds.sort_by(|a, b| a.name.cmp(&b.name));
    let is_on = !(beds.is_empty() && charge_of.is_empty());
    is_on.then_some(Shift { beds, charge_of })
}
