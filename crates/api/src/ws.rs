//! The feed: one WebSocket for a page, which tells it of everything that changes.
//!
//! Alarms wait for a slow page, numbers are replaced by newer ones, traces are dropped
//! with a mark; all of that happens in the reader's queue, so a page that does not read
//! costs nobody else anything. Whether the page may still look is asked again whenever
//! the directory changes, and at least once a second.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, Method, header},
    response::{IntoResponse as _, Response},
};
use engine::{Cursor, Directory, FeedItem, FeedReader, FeedStart, WavesWanted};
use model::{AlarmId, CareUnitId, PatientId};
use security::{Action, Decision, Resource, Who, permit};
use serde::Deserialize;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{interval, timeout},
};

use crate::{
    Api,
    allowance::Allowance,
    dto::{
        feed::{Beat, Delta, FeedSays, PageSays, hello, wave_frame},
        words::read_time,
    },
    extract::Asked,
    guard::{Caller, parse, patient_resource, who},
    limits::{FRAME_WITHIN, WISH_EVERY, WISH_LEN_MAX, WISHES_AT_ONCE_MAX},
    problem::Problem,
    routes::{Access, Route, Scope},
    state::FeedOf,
};

/// How often a feed looks whether it may go on, if nothing else happens.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadBoard, Scope::CareUnitOfQuery);
    vec![
        Route::new(
            Method::GET,
            "/feed",
            read,
            "The live feed of a care unit, as a WebSocket",
            open,
        )
        .query("care_unit", "Which care unit; needed")
        .query("patient", "Whose traces, with `waves=patient`")
        .query("waves", "Which traces: `board`, `patient` or `none`")
        .query("from", "The cursor that the page has; the feed goes on right behind it")
        .status(101),
    ]
}

#[derive(Debug, Deserialize)]
struct Start {
    patient: Option<String>,
    waves: Option<String>,
    from: Option<String>,
}

async fn open(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(start): Asked<Start>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade =
        upgrade.map_err(|_| Problem::bad_request("the feed is a WebSocket; ask for an upgrade"))?;
    from_our_own_page(&headers)?;
    let unit = caller.resource.care_unit;
    let unit = unit
        .ok_or_else(|| Problem::bad_request("care_unit is missing; a feed is of one care unit"))?;
    let wanted = wanted(&api, &caller, start.waves.as_deref(), start.patient.as_deref())?;
    let from = start.from.as_deref().map(|text| {
        text.parse::<Cursor>()
            .map_err(|_| Problem::bad_request("from is not a cursor of a board or of a feed"))
    });
    let from = from.transpose()?;
    let place = Arc::clone(&api.feeds).try_acquire_owned();
    let place =
        place.map_err(|_| Problem::slow_down("as many feeds are open as this server takes"))?;
    let of_session = api.feeds_of.take(caller.session).ok_or_else(|| {
        Problem::slow_down("this sign-in has as many feeds open as it may; close a page")
    })?;
    let begin = from.map_or(FeedStart::Now, FeedStart::After);
    let reader = api.engine.feed(unit, begin).await;
    let reader = reader.ok_or_else(|| Problem::not_found("there is no such care unit"))?;
    reader.want(wanted);
    let feed = Feed {
        stop: api.stopping(),
        directory: api.engine.directory(),
        wishes: Allowance::new(WISHES_AT_ONCE_MAX, WISH_EVERY, api.clock.now()),
        api,
        caller,
        unit,
        wanted,
        reader,
        _places: (place, of_session),
    };
    let upgrade =
        upgrade.max_message_size(WISH_LEN_MAX).max_frame_size(WISH_LEN_MAX).write_buffer_size(0);
    Ok(upgrade.on_upgrade(move |socket| feed.run(socket, from.is_some())).into_response())
}

/// A browser says which page opens a WebSocket; only ours may, as the cookie comes along.
fn from_our_own_page(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| {
        headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or("?"))
    };
    let (origin, host) = (text(header::ORIGIN), text(header::HOST));
    let page = origin.map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    if page.is_none() || page == host {
        Ok(())
    } else {
        Err(Problem::forbidden("the feed opens for pages of this server only"))
    }
}

/// Which traces are asked for; those of one patient are a look at that patient, those of the
/// board are part of the board.
fn wanted(
    api: &Api,
    caller: &Caller,
    waves: Option<&str>,
    patient: Option<&str>,
) -> Result<WavesWanted, Problem> {
    match (waves, patient) {
        (None | Some("none"), _) => Ok(WavesWanted::None),
        (Some("board"), _) => Ok(WavesWanted::Board),
        (Some("patient"), Some(patient)) => {
            let patient: PatientId = parse(patient)?;
            let resource = patient_resource(&api.engine.directory(), patient)?;
            let path = format!("GET /api/v1/feed patient {patient}");
            api.permit_look(caller, Action::ReadPatient, resource, path)?;
            Ok(WavesWanted::Patient(patient))
        }
        (Some("patient"), None) => Err(Problem::bad_request("patient is missing; whose traces?")),
        (Some(other), _) => Err(Problem::bad_request(format!(
            "waves is `{other}`; use one of: board, patient, none"
        ))),
    }
}

/// Why a feed ends.
enum End {
    /// The page went, or does not read.
    Gone,
    /// It is told why, and closed with this code.
    FeedSays(Problem, u16),
    /// The server or the engine stops.
    Stopping,
}

/// What happens next on a feed.
enum Next {
    Item(FeedItem),
    Said(Message),
    Look,
    Gone,
    Stop,
}

/// One open feed.
struct Feed {
    api: Arc<Api>,
    caller: Caller,
    unit: CareUnitId,
    wanted: WavesWanted,
    reader: FeedReader,
    directory: Arc<Directory>,
    stop: watch::Receiver<bool>,
    /// How often the page may change its mind.
    wishes: Allowance,
    _places: (OwnedSemaphorePermit, FeedOf),
}

impl Feed {
    async fn run(mut self, mut socket: WebSocket, wants_to_resume: bool) {
        let end = match self.begin(&mut socket, wants_to_resume).await {
            Ok(()) => self.follow(&mut socket).await,
            Err(end) => end,
        };
        let close = match end {
            End::Gone => None,
            End::FeedSays(problem, code) => {
                let Problem { status, kind, for_caller, .. } = problem;
                let told = FeedSays::Problem { status: status.as_u16(), kind, detail: for_caller };
                let _ = tell(&mut socket, &told).await;
                Some(code)
            }
            End::Stopping => Some(1001),
        };
        if let Some(code) = close {
            let frame = CloseFrame { code, reason: "".into() };
            let _ = send(&mut socket, Message::Close(Some(frame))).await;
        }
        let resource =
            Resource { care_unit: Some(self.unit), ..Resource::org(self.caller.who.org) };
        let decision = Decision::Allowed { rule: "closed" };
        let path = format!("CLOSED /api/v1/feed?care_unit={}", self.unit);
        drop(self.api.trace(&self.caller, Action::ReadBoard, &resource, path, &decision));
    }

    /// The first frame says whether the page may keep what it has.
    async fn begin(&mut self, socket: &mut WebSocket, wants_to_resume: bool) -> Result<(), End> {
        let first = self.reader.try_next();
        let resumed = wants_to_resume && !matches!(first, Some(FeedItem::Gone));
        let hello = hello(self.reader.starts_after(), self.api.clock.now(), resumed);
        tell(socket, &hello).await?;
        match first {
            Some(item) => self.show(socket, item).await,
            None => Ok(()),
        }
    }

    async fn follow(&mut self, socket: &mut WebSocket) -> End {
        let mut look = interval(LOOK_AGAIN);
        loop {
            let next = tokio::select! {
                item = self.reader.next() => item.map_or(Next::Stop, Next::Item),
                said = socket.recv() => said.and_then(Result::ok).map_or(Next::Gone, Next::Said),
                _ = look.tick() => Next::Look,
                _ = self.stop.wait_for(|stop| *stop) => Next::Stop,
            };
            let step = match next {
                Next::Item(item) => self.show(socket, item).await,
                Next::Said(message) => self.hear(socket, message).await,
                Next::Look => self.look_again(),
                Next::Gone => Err(End::Gone),
                Next::Stop => Err(End::Stopping),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn show(&mut self, socket: &mut WebSocket, item: FeedItem) -> Result<(), End> {
        // Nothing is shown on the strength of a permission that has been taken away.
        self.look_again()?;
        let told = match item {
            FeedItem::Delta(delta) => {
                let reader = (self.caller.who.staff, self.unit);
                FeedSays::Delta(Box::new(Delta::of(&delta, &self.directory, reader)))
            }
            FeedItem::Beat(beat) => FeedSays::Beat(Beat::of(&beat)),
            FeedItem::WaveGap { patient, device, channel } => FeedSays::Gap {
                patient: patient.to_string(),
                device: device.to_string(),
                channel: channel.to_string(),
            },
            FeedItem::Gone => FeedSays::Gone { reason: "what was missed is no longer kept" },
            FeedItem::Wave(wave) => {
                let frame = Message::Binary(Bytes::from(wave_frame(&wave)));
                return send(socket, frame).await;
            }
        };
        tell(socket, &told).await
    }

    async fn hear(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) => {
                let problem = Problem::bad_request("a page speaks text on the feed");
                return Err(End::FeedSays(problem, 1003));
            }
        };
        let answered = match serde_json::from_str(&text) {
            Ok(PageSays::Want { waves, patient }) => self.want(&waves, patient.as_deref()),
            Ok(PageSays::Painted { alarm, at }) => self.painted(&alarm, &at),
            Err(error) => {
                Err(Problem::bad_request(format!("this is not understood on the feed: {error}")))
            }
        };
        match answered {
            Ok(()) => Ok(()),
            Err(Problem { status, kind, for_caller, .. }) => {
                let told = FeedSays::Problem { status: status.as_u16(), kind, detail: for_caller };
                tell(socket, &told).await
            }
        }
    }

    fn want(&mut self, waves: &str, patient: Option<&str>) -> Result<(), Problem> {
        if !self.wishes.take(self.api.clock.now()) {
            let words = format!(
                "a page may want something else {WISHES_AT_ONCE_MAX} times at once, and then every {} ms",
                WISH_EVERY.as_millis()
            );
            return Err(Problem::slow_down(words));
        }
        self.caller.who.is_recorded = self.api.records();
        self.wanted = wanted(&self.api, &self.caller, Some(waves), patient)?;
        self.reader.want(self.wanted);
        Ok(())
    }

    fn painted(&self, alarm: &str, at: &str) -> Result<(), Problem> {
        let _: AlarmId = parse(alarm)?;
        read_time("at", at)?;
        self.api.counts.alarms_painted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the page may still look: its session, its user's role and posts, its patient.
    fn look_again(&mut self) -> Result<(), End> {
        let now = self.api.clock.now();
        let directory = self.api.engine.directory();
        let has_changed = !Arc::ptr_eq(&directory, &self.directory);
        let session =
            directory.sessions.get(&self.caller.session).filter(|session| now < session.expires_at);
        let user = session
            .and_then(|session| directory.users.get(&session.user))
            .filter(|user| !user.disabled);
        let Some(user) = user else {
            return Err(End::FeedSays(
                Problem::signed_out("the session has ended; sign in again"),
                4401,
            ));
        };
        let is_recorded = self.api.records();
        let who_now = &self.caller.who;
        let has_changed = has_changed || is_recorded != who_now.is_recorded;
        // What was opened in an emergency closes by the clock, whatever else changes, and so
        // does the page of somebody who left.
        let left = |it| matches!(self.wanted, WavesWanted::Patient(patient) if patient == it);
        let closes = !who_now.opened.is_empty() || who_now.left_lately.iter().copied().any(left);
        if !has_changed && !closes {
            return Ok(());
        }
        self.caller.who = Who { is_recorded, ..who(&directory, user, now) };
        let board =
            Resource { care_unit: Some(self.unit), ..Resource::org(self.caller.resource.org) };
        if let WavesWanted::Patient(patient) = self.wanted {
            let is_open =
                |it: Resource| permit(&self.caller.who, Action::ReadPatient, &it).is_allowed();
            if !patient_resource(&directory, patient).is_ok_and(is_open) {
                // The rest of the ward goes on; the page itself asks and is told why.
                self.wanted = WavesWanted::None;
                self.reader.want(self.wanted);
            }
        }
        self.directory = directory;
        if let Decision::Denied { explanation, .. } =
            permit(&self.caller.who, Action::ReadBoard, &board)
        {
            return Err(End::FeedSays(Problem::forbidden(explanation), 4403));
        }
        Ok(())
    }
}

async fn tell(socket: &mut WebSocket, told: &FeedSays) -> Result<(), End> {
    match serde_json::to_string(told) {
        Ok(text) => send(socket, Message::text(text)).await,
        Err(error) => Err(End::FeedSays(Problem::fault(error), 1011)),
    }
}

/// Sends a frame; a page that does not take it in time is given up.
async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(FRAME_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}
